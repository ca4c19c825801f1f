// SPDX-License-Identifier: Apache-2.0
// Who is at the other end of a connection.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace anyvip::cmd {

struct HttpClient {
    std::optional<std::uint32_t> user; ///< of the process that connected; the kernel says so
    std::int32_t process = 0;          ///< with `user`
    std::string address;               ///< without `user`

    /// "root (uid 0, pid 4711)", "192.0.2.1". Reads /etc/passwd: for changes, not for questions.
    [[nodiscard]] std::string describe() const;
};

/// Of a connected stream socket, unix or TCP.
[[nodiscard]] HttpClient client_of(int descriptor);

} // namespace anyvip::cmd
