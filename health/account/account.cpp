// SPDX-License-Identifier: Apache-2.0
#include "health/account/account.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>

#include <grp.h>
#include <pwd.h>

namespace anyvip::health {
namespace {

struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
};

std::unique_ptr<std::FILE, Close> open(const char* path) {
    return std::unique_ptr<std::FILE, Close>(std::fopen(path, "re"));
}

std::unexpected<std::error_code> last_error() {
    return std::unexpected(std::error_code(errno, std::system_category()));
}

// The first entry that `is_wanted`; it lives until the next call.
template <typename Predicate>
std::expected<const passwd*, std::error_code> find_entry(Predicate is_wanted) {
    const auto file = open("/etc/passwd");
    if (!file) {
        return last_error();
    }
    while (const passwd* entry = ::fgetpwent(file.get())) {
        if (is_wanted(*entry)) {
            return entry;
        }
    }
    return nullptr;
}

std::expected<std::vector<gid_t>, std::error_code> groups_of(const std::string& name,
                                                             gid_t primary) {
    const auto file = open("/etc/group");
    if (!file) {
        return last_error();
    }
    std::vector<gid_t> groups{primary};
    while (const group* entry = ::fgetgrent(file.get())) {
        for (char** member = entry->gr_mem; *member != nullptr; ++member) {
            if (name == *member && std::ranges::find(groups, entry->gr_gid) == groups.end()) {
                groups.push_back(entry->gr_gid);
            }
        }
    }
    return groups;
}

} // namespace

std::expected<std::optional<Account>, std::error_code> find_account(const std::string& name) {
    const auto entry = find_entry([&](const passwd& one) { return name == one.pw_name; });
    if (!entry) {
        return std::unexpected(entry.error());
    }
    if (*entry == nullptr) {
        return std::nullopt;
    }
    Account account{(*entry)->pw_uid, (*entry)->pw_gid, {}};
    auto groups = groups_of(name, account.group);
    if (!groups) {
        return std::unexpected(groups.error());
    }
    account.groups = *std::move(groups);
    return account;
}

std::string user_name(uid_t user) {
    const auto entry = find_entry([&](const passwd& one) { return one.pw_uid == user; });
    return entry && *entry != nullptr ? (*entry)->pw_name : std::string();
}

} // namespace anyvip::health
