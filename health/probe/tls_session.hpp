// SPDX-License-Identifier: Apache-2.0
// The client side of TLS on a connected socket. OpenSSL is touched here only, and not before the
// first handshake: a daemon without TLS checks does not pay for it.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "health/config.hpp"
#include "health/probe/connect.hpp"

namespace anyvip::health {

/// Uses the socket it is given; handlers as in Channel.
class TlsSession {
  public:
    explicit TlsSession(StreamSocket& socket);
    ~TlsSession();
    TlsSession(const TlsSession&) = delete;
    TlsSession& operator=(const TlsSession&) = delete;

    void async_handshake(const TlsOptions& options,
                         const std::string& host,
                         std::function<void(Failure)> done);
    void async_write(std::string_view data, std::function<void(std::error_code)> written);
    void async_read(std::array<char, 4096>& chunk,
                    std::function<void(std::error_code, std::string_view)> read);

    /// Says goodbye, as far as that goes without waiting: servers log a connection that just ends.
    void shut_down();

    /// "TLSv1.3"
    [[nodiscard]] std::string version() const;
    /// Whole days until the first certificate of the server's chain ends, and negative after that;
    /// nothing without a certificate.
    [[nodiscard]] std::optional<int> days_valid() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// min_days_valid: the failure that only demotes, or nothing.
[[nodiscard]] Failure expiry_failure(const TlsSession& session, const TlsOptions& options);

} // namespace anyvip::health
