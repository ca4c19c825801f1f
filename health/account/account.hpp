// SPDX-License-Identifier: Apache-2.0
// User accounts of this machine, as /etc/passwd and /etc/group have them. Not through NSS: a
// directory server that does not answer would stop the loop, and with it the sessions.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include <sys/types.h>

namespace anyvip::health {

struct Account {
    uid_t user = 0;
    gid_t group = 0;
    std::vector<gid_t> groups; ///< all, `group` among them
};

/// Nothing: /etc/passwd has no such user. Reads two small files; never waits for a network. The
/// error: one of them cannot be read.
[[nodiscard]] std::expected<std::optional<Account>, std::error_code>
find_account(const std::string& name);

/// Empty: /etc/passwd has no user with this number.
[[nodiscard]] std::string user_name(uid_t user);

} // namespace anyvip::health
