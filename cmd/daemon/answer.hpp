// SPDX-License-Identifier: Apache-2.0
// What the handlers of the API share: JSON answers, and resources with a name in their path.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json/value.hpp>

#include "cmd/daemon/http_server.hpp"

namespace anyvip::cmd {

using Responder = std::shared_ptr<HttpResponder>;

void reply(const Responder& responder, const boost::json::value& document, unsigned status = 200);

/// What a path of the API is good for, whether or not the name in it exists.
enum class Resource : std::uint8_t { None, View, Change };
[[nodiscard]] Resource resource_at(std::string_view path);

/// {"error": …}
void fail(const Responder& responder, unsigned status, std::string_view error);

/// "/v1/KIND/NAME" and "/v1/KIND/NAME/VERB"; views into the path.
struct NamedPath {
    std::string_view kind;
    std::string name; ///< anything but a slash
    std::string_view verb;
};

[[nodiscard]] std::optional<NamedPath> split_named(std::string_view path);

} // namespace anyvip::cmd
