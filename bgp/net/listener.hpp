// SPDX-License-Identifier: Apache-2.0
// Listening sockets for the configured peers, one for each port and address family.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "bgp/ip.hpp"
#include "bgp/net/peer_driver.hpp"

namespace anyvip::bgp::net {

/// Something that keeps peers from being heard; the text is one line and complete.
struct ListenProblem {
    std::error_code code; ///< address_in_use, permission_denied…; none when a key file is refused
    std::string text;
};

/// A key as it is on a listening socket.
struct ListenerKey {
    std::optional<TcpAoConfig> tcp_ao; ///< none: TCP MD5
    std::string key;

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, tcp_ao);
        archive.field(2, key);
    }

    friend bool operator==(const ListenerKey&, const ListenerKey&) = default;
};

/// A listening socket as it goes over at an upgrade in place: connections that nobody has accepted
/// yet go with it.
struct OpenListener {
    std::uint16_t port = 0;
    Family family = Family::Ipv4;
    int descriptor = -1;
    std::map<IpAddress, ListenerKey> keys;

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, port);
        archive.choice(2, family, Family::Ipv6);
        archive.descriptor(3, descriptor);
        archive.field(4, keys);
    }
};

/// Accepts for configured peers only: an unknown address is closed without an octet, a known one
/// goes to `PeerDriver::adopt`. The wildcard address is bound, since peers may connect to any of
/// ours; keys and GTSM are in place before listen().
class Listeners {
  public:
    using Report = std::function<void(const ListenProblem&)>;

    /// `report` tells of trouble while accepting (no descriptors), once for each time it begins.
    Listeners(boost::asio::io_context& io, Report report);
    ~Listeners();
    Listeners(const Listeners&) = delete;
    Listeners& operator=(const Listeners&) = delete;

    /// The whole wanted set; peers with listen_port 0 and those whose address is not known yet are
    /// left out. Opens what is missing, closes what nobody wants, renews keys. Problems do not stop
    /// the rest; call it again to retry. The drivers are used until the next call.
    [[nodiscard]] std::vector<ListenProblem> update(const std::vector<PeerDriver*>& drivers);

    /// The descriptors stay here.
    [[nodiscard]] std::vector<OpenListener> open() const;
    /// Before the first `update`, which must follow in the same turn; owns the descriptors.
    void take_over(const std::vector<OpenListener>& listeners);

  private:
    class Listener;
    boost::asio::io_context& io_;
    Report report_;
    std::vector<std::shared_ptr<Listener>> listeners_;
};

} // namespace anyvip::bgp::net
