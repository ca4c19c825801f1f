// SPDX-License-Identifier: Apache-2.0
#include "health/probe/openssl.hpp"

#include <optional>

#include <dlfcn.h>

namespace anyvip::health {
namespace {

#define ANYVIP_TEXT_OF(value) #value
#define ANYVIP_TEXT(value) ANYVIP_TEXT_OF(value)
constexpr const char* library_name = "libssl.so." ANYVIP_TEXT(OPENSSL_SHLIB_VERSION);

std::string last_error(const char* what) {
    const char* const text = ::dlerror();
    return text == nullptr ? std::string("cannot load ") + what : std::string(text);
}

} // namespace

std::expected<const OpenSsl*, std::string> load_openssl() {
    static std::optional<OpenSsl> loaded;
    if (loaded) {
        return &*loaded;
    }
    // Its dependency libcrypto is searched with it. Never closed: it registers exit handlers.
    void* const library = ::dlopen(library_name, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        return std::unexpected(last_error(library_name));
    }
    OpenSsl functions;
    const char* missing = nullptr;
    const auto find = [&](const char* name, auto& function) {
        function =
            reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(library, name));
        if (function == nullptr && missing == nullptr) {
            missing = name;
        }
    };
#define ANYVIP_FIND(name) find(#name, functions.name);
    ANYVIP_OPENSSL_FUNCTIONS(ANYVIP_FIND)
#undef ANYVIP_FIND
    if (missing != nullptr) {
        return std::unexpected(last_error(missing));
    }
    loaded = functions;
    return &*loaded;
}

} // namespace anyvip::health
