// SPDX-License-Identifier: Apache-2.0
// Default routes of ours in the main table: puts them there, takes them away, and tells what
// anybody does to them. Routes of other programs are read, never touched: none is ever replaced.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "vip/default_route.hpp"
#include "vip/kernel/netlink.hpp"
#include "vip/kernel/readiness.hpp"
#include "vip/kernel/route_message.hpp"

namespace anyvip::vip::kernel {

struct RouteObservation {
    DefaultRouteKey key;
    NextHops next_hops;    ///< of ours; none: no route
    std::string hidden_by; ///< the route of another program that the kernel prefers; empty: none
    friend bool operator==(const RouteObservation&, const RouteObservation&) = default;
};

struct RouteCallbacks {
    /// Every route of ours once at the start, then each change, those by `set` included.
    std::function<void(const RouteObservation&)> observed;
    /// After the observations of one turn of the loop; not after those that `set` makes.
    std::function<void()> turn_ended;
    /// One line for the log.
    std::function<void(const std::string&)> notice;
};

/// What the main table says of ways out, whose ever the routes are; empty when it cannot be read.
struct WaysOut {
    std::vector<DefaultRouteMessage> defaults;
    /// By Family: interfaces with a route by a gateway that is no default route.
    std::array<std::set<std::string>, 2> gateway_interfaces;
};

/// Reads the whole table, so not for every turn of the loop.
[[nodiscard]] WaysOut read_ways_out();

class RouteKernel {
  public:
    RouteKernel(boost::asio::io_context& loop, RouteCallbacks callbacks);
    RouteKernel(const RouteKernel&) = delete;
    RouteKernel& operator=(const RouteKernel&) = delete;

    /// Reads what is there: `observed` for what a run before left. Watches from then on when there
    /// is something, else from the first `set` on.
    [[nodiscard]] std::error_code start();

    /// Makes the route of this key have these next hops; none: removes it. There is a route at
    /// every moment between the old one and the new one. Returns what the kernel refused, one line,
    /// empty when nothing; `observed` has told what is there before it returns. A next hop that
    /// cannot be used does not keep the others out.
    [[nodiscard]] std::string set(const DefaultRouteKey& key, const NextHops& next_hops);

  private:
    struct Table {
        /// Ours, in the kernel's order; of IPv4 there may be two of one key for a moment.
        std::map<DefaultRouteKey, std::vector<std::vector<NextHop>>> own;
        std::map<DefaultRouteKey, std::string> foreign; ///< with a text for the operator
    };

    [[nodiscard]] std::error_code watch();
    void on_readable();
    void look();
    [[nodiscard]] std::error_code read();
    [[nodiscard]] std::error_code dump(Table& table);
    void apply(nlmsghdr& message, Table& table) const;
    void deliver();
    [[nodiscard]] RouteObservation observation_of(const DefaultRouteKey& key) const;
    [[nodiscard]] std::string set_ipv4(const DefaultRouteKey& key,
                                       const std::vector<NextHop>& next_hops);
    [[nodiscard]] std::string set_ipv6(const DefaultRouteKey& key,
                                       const std::vector<NextHop>& next_hops);
    void note_not_ours(const DefaultRouteKey& key, const std::vector<NextHop>& missing);
    [[nodiscard]] std::error_code
    add_ipv4(const DefaultRouteKey& key, const std::vector<NextHop>& next_hops, bool has_own);
    [[nodiscard]] std::error_code exchange(Request request);
    [[nodiscard]] std::string refusal(const DefaultRouteKey& key, std::error_code error) const;

    boost::asio::io_context& loop_;
    RouteCallbacks callbacks_;
    std::optional<Netlink> requests_;
    std::optional<Netlink> notifications_;
    Table table_;
    std::map<DefaultRouteKey, RouteObservation> told_;
    /// IPv6 next hops beside ours under our key that another program appended.
    std::set<std::pair<DefaultRouteKey, NextHop>> not_ours_;
    std::chrono::milliseconds pause_;
    bool is_look_due_ = false;
    std::optional<Readable> readable_; // before the socket it watches is closed
    Timer look_timer_;
};

} // namespace anyvip::vip::kernel
