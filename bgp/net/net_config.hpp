// SPDX-License-Identifier: Apache-2.0
// What the sockets of one peer need to know of its configuration; all values are validated.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "bgp/ip.hpp"

namespace anyvip::bgp::net {

/// TCP-AO (RFC 5925) with one key.
struct TcpAoConfig {
    std::string key_file;
    std::uint8_t send_id = 1;
    std::uint8_t recv_id = 1;
    std::string algorithm; ///< "hmac-sha1-96" or "aes-128-cmac-96" (RFC 5926)

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, key_file);
        archive.field(2, send_id);
        archive.field(3, recv_id);
        archive.field(4, algorithm);
    }

    friend bool operator==(const TcpAoConfig&, const TcpAoConfig&) = default;
};

/// The transport keys of a [[peer]], CONTRACT section 2.
struct NetConfig {
    std::optional<IpAddress> address; ///< nullopt: unnumbered and not learnt yet
    std::string scope;                ///< interface of a link-local address, else empty
    std::uint16_t port = 179;
    std::uint16_t listen_port = 179; ///< 0: never listen
    std::optional<IpAddress> local_address;
    std::uint8_t ttl_security = 0; ///< greatest number of hops (RFC 5082); 0: off
    std::string password;          ///< TCP MD5 (RFC 2385), at most 80 octets; or:
    std::string password_file;     ///< read again for every socket
    std::optional<TcpAoConfig> tcp_ao;
    friend bool operator==(const NetConfig&, const NetConfig&) = default;
};

} // namespace anyvip::bgp::net
