// SPDX-License-Identifier: Apache-2.0
#include "health/account/account.hpp"

#include <algorithm>
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

// The first entry that `is_wanted`; it lives until the next call.
template <typename Predicate> const passwd* find_entry(Predicate is_wanted) {
    const auto file = open("/etc/passwd");
    while (const passwd* entry = file ? ::fgetpwent(file.get()) : nullptr) {
        if (is_wanted(*entry)) {
            return entry;
        }
    }
    return nullptr;
}

std::vector<gid_t> groups_of(const std::string& name, gid_t primary) {
    std::vector<gid_t> groups{primary};
    const auto file = open("/etc/group");
    while (const group* entry = file ? ::fgetgrent(file.get()) : nullptr) {
        for (char** member = entry->gr_mem; *member != nullptr; ++member) {
            if (name == *member && std::ranges::find(groups, entry->gr_gid) == groups.end()) {
                groups.push_back(entry->gr_gid);
            }
        }
    }
    return groups;
}

} // namespace

std::optional<Account> find_account(const std::string& name) {
    const passwd* entry = find_entry([&](const passwd& one) { return name == one.pw_name; });
    if (entry == nullptr) {
        return std::nullopt;
    }
    const Account account{entry->pw_uid, entry->pw_gid, {}};
    return Account{account.user, account.group, groups_of(name, account.group)};
}

std::string user_name(uid_t user) {
    const passwd* entry = find_entry([&](const passwd& one) { return one.pw_uid == user; });
    return entry == nullptr ? std::string() : entry->pw_name;
}

} // namespace anyvip::health
