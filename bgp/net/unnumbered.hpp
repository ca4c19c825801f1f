// SPDX-License-Identifier: Apache-2.0
// Unnumbered peers: the router's link-local address is learnt from its Router Advertisements, and
// it learns ours from those that we send.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>

#include "bgp/ip.hpp"
#include "bgp/types.hpp"

namespace anyvip::bgp::net {

/// Neighbour discovery on one interface. The interface may come, go and come again. Needs
/// CAP_NET_RAW.
class RouterDiscovery {
  public:
    /// `advertises`: Router Advertisements with lifetime 0 are sent (`ra` of the peer).
    /// `is_settled`: a session runs over the link, and nobody waits to hear of us.
    /// `on_change` runs from the loop whenever `router` or `problem` has changed.
    RouterDiscovery(boost::asio::io_context& io,
                    std::string interface,
                    bool advertises,
                    std::function<bool()> is_settled,
                    std::function<void()> on_change);
    ~RouterDiscovery();
    RouterDiscovery(const RouterDiscovery&) = delete;
    RouterDiscovery& operator=(const RouterDiscovery&) = delete;

    /// The one router on the link; nullopt while none or several are heard. A lone router is
    /// remembered when it falls silent; a new one takes its place soon (RouterTable).
    [[nodiscard]] std::optional<IpAddress> router() const;

    /// Why there is no router, one line; empty when there is one or none has spoken yet.
    [[nodiscard]] std::string problem() const;

    /// Who was heard, and until when each counts: what goes over at an upgrade in place.
    [[nodiscard]] std::map<IpAddress, Instant> heard() const;
    void take_over(const std::map<IpAddress, Instant>& heard);

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

} // namespace anyvip::bgp::net
