// SPDX-License-Identifier: Apache-2.0
// The kernel tells of most changes to routes, but not of IPv4 routes that go with an address or an
// interface. So a notification of any of these only says "look again", and looking is a dump.
#include "vip/kernel/route_kernel.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace anyvip::vip::kernel {

namespace {

using namespace std::chrono_literals;

constexpr int notification_buffer_octets = 1024 * 1024;
constexpr int max_datagrams_a_turn = 256;
/// While others change routes faster than a dump reads them, no dump is consistent.
constexpr int max_dump_tries = 4;
/// At most a twentieth of the time is spent on dumps, however many routes there are.
constexpr std::chrono::milliseconds shortest_pause = 20ms;
constexpr int pause_for_dump = 20;
constexpr std::chrono::milliseconds longest_pause = 900ms;

constexpr sock_filter statement(int code, std::uint32_t k) {
    return {.code = static_cast<std::uint16_t>(code), .jt = 0, .jf = 0, .k = k};
}

/// Skips so many instructions when the value is `k`, or when it is not.
constexpr sock_filter jump_if(std::uint32_t k, std::uint8_t if_equal, std::uint8_t otherwise) {
    return {.code = BPF_JMP | BPF_JEQ | BPF_K, .jt = if_equal, .jf = otherwise, .k = k};
}

/// Lets the kernel drop, before anything is copied, what no default route depends on: routes to
/// anywhere else, and addresses of lo, where VIPs come and go.
void attach_filter(int descriptor) {
    // nlmsghdr: length 4, type 2, flags 2, sequence 4, port 4; then rtmsg { family, dst_len, … } or
    // ifaddrmsg { family, length, flags, scope, index 4 }. Loads are big-endian, the fields not.
    constexpr unsigned type_offset = 4;
    constexpr unsigned dst_len_offset = 17;
    constexpr unsigned address_index_offset = 20;
    constexpr unsigned loopback_index = 1; // in every network namespace
    constexpr unsigned accept = 0xFFFFFFFF;
    std::array filter{
        statement(BPF_LD | BPF_H | BPF_ABS, type_offset),
        jump_if(htons(RTM_NEWROUTE), 3, 0),
        jump_if(htons(RTM_DELROUTE), 2, 0),
        jump_if(htons(RTM_NEWADDR), 4, 0),
        jump_if(htons(RTM_DELADDR), 3, 5),
        statement(BPF_LD | BPF_B | BPF_ABS, dst_len_offset),
        jump_if(0, 3, 0),
        statement(BPF_RET | BPF_K, 0),
        statement(BPF_LD | BPF_W | BPF_ABS, address_index_offset),
        jump_if(htonl(loopback_index), 1, 0),
        statement(BPF_RET | BPF_K, accept),
        statement(BPF_RET | BPF_K, 0),
    };
    const sock_fprog program{.len = static_cast<unsigned short>(filter.size()),
                             .filter = filter.data()};
    // Without it there is more to read, no more.
    static_cast<void>(
        ::setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
}

std::expected<Netlink, std::error_code> open_for_dumps() {
    auto opened = Netlink::open(NETLINK_ROUTE);
    if (opened) {
        // The kernel then filters a dump by table. Without it more is read, no more.
        const int on = 1;
        static_cast<void>(::setsockopt(
            opened->descriptor(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on));
    }
    return opened;
}

/// The main table of both families; `interrupted`: all of it was read, but it is not consistent.
std::error_code dump_routes(Netlink& netlink, const OnMessage& on_message) {
    std::error_code interrupted;
    for (const int family : {AF_INET, AF_INET6}) {
        Request routes(RTM_GETROUTE, NLM_F_DUMP);
        rtmsg header{};
        header.rtm_family = static_cast<std::uint8_t>(family);
        header.rtm_table = RT_TABLE_MAIN;
        routes.header(header);
        const auto error = netlink.exchange(routes, on_message);
        if (error == std::errc::interrupted) {
            interrupted = error;
        } else if (error && error.value() != ENOENT) { // a table without any route
            return error;
        }
    }
    return interrupted;
}

[[nodiscard]] NextHops set_of(const std::vector<NextHop>& next_hops) {
    return {next_hops.begin(), next_hops.end()};
}

void add_line(std::string& text, const std::string& more) {
    text += (text.empty() || more.empty() ? "" : "; ") + more;
}

} // namespace

RouteKernel::RouteKernel(boost::asio::io_context& loop, RouteCallbacks callbacks)
    : loop_(loop), callbacks_(std::move(callbacks)), pause_(shortest_pause),
      look_timer_(loop, [this] { look(); }) {}

std::error_code RouteKernel::start() {
    if (const auto error = read()) {
        return error;
    }
    if (table_.own.empty()) {
        return {};
    }
    if (const auto error = watch()) {
        return error;
    }
    const auto error = read(); // what has changed before somebody watched
    deliver();
    return error;
}

std::error_code RouteKernel::watch() {
    if (notifications_) {
        return {};
    }
    constexpr std::array<int, 5> groups{RTNLGRP_IPV4_ROUTE,
                                        RTNLGRP_IPV6_ROUTE,
                                        RTNLGRP_LINK,
                                        RTNLGRP_IPV4_IFADDR,
                                        RTNLGRP_IPV6_IFADDR};
    auto subscribed = Netlink::subscribe(NETLINK_ROUTE, groups, notification_buffer_octets);
    if (!subscribed) {
        return subscribed.error();
    }
    notifications_ = std::move(*subscribed);
    attach_filter(notifications_->descriptor());
    readable_.emplace(loop_, notifications_->descriptor(), [this] { on_readable(); });
    readable_->arm();
    return {};
}

void RouteKernel::on_readable() {
    for (int i = 0; i < max_datagrams_a_turn; ++i) {
        // Lost ones (ENOBUFS) are as good as read ones.
        if (notifications_->receive({}).error == std::errc::resource_unavailable_try_again) {
            break;
        }
    }
    if (!std::exchange(is_look_due_, true)) {
        look_timer_.arm(pause_);
    }
    readable_->arm();
}

void RouteKernel::look() {
    is_look_due_ = false;
    if (const auto error = read()) {
        callbacks_.notice("cannot read the routes: " + error.message());
        is_look_due_ = true;
        look_timer_.arm(longest_pause);
        return;
    }
    deliver();
    callbacks_.turn_ended();
}

std::error_code RouteKernel::read() {
    const auto began = std::chrono::steady_clock::now();
    Table seen;
    std::error_code error;
    for (int i = 0; i < max_dump_tries; ++i) {
        seen = {};
        error = dump(seen);
        if (error != std::errc::interrupted) {
            break;
        }
    }
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - began);
    pause_ = std::clamp(took * pause_for_dump, shortest_pause, longest_pause);
    if (error && error != std::errc::interrupted) {
        return error;
    }
    table_ = std::move(seen);
    return {};
}

std::error_code RouteKernel::dump(Table& table) {
    if (!requests_) {
        auto opened = open_for_dumps();
        if (!opened) {
            return opened.error();
        }
        requests_ = std::move(*opened);
    }
    return dump_routes(*requests_, [&](nlmsghdr& message) { apply(message, table); });
}

void RouteKernel::apply(nlmsghdr& message, Table& table) const {
    auto route = parse_default_route(message);
    if (!route) {
        return;
    }
    if (route->protocol != route_protocol) {
        table.foreign.try_emplace(route->key, route->text);
        return;
    }
    std::erase_if(route->next_hops, [&](const NextHop& next_hop) {
        return not_ours_.contains({route->key, next_hop});
    });
    auto& own = table.own[route->key];
    if (route->key.family == Family::Ipv6 && !own.empty()) {
        std::ranges::move(route->next_hops, std::back_inserter(own.front()));
    } else if (!route->next_hops.empty()) {
        own.push_back(std::move(route->next_hops));
    }
}

RouteObservation RouteKernel::observation_of(const DefaultRouteKey& key) const {
    RouteObservation seen{.key = key, .next_hops = {}, .hidden_by = {}};
    if (const auto own = table_.own.find(key); own != table_.own.end() && !own->second.empty()) {
        seen.next_hops = set_of(own->second.front()); // the one that the kernel uses
    }
    for (const auto& [other, text] : table_.foreign) {
        if (other.family == key.family && other.metric <= key.metric) {
            seen.hidden_by = text;
            break;
        }
    }
    return seen;
}

void RouteKernel::deliver() {
    std::set<DefaultRouteKey> keys;
    for (const auto& [key, own] : table_.own) {
        keys.insert(key);
    }
    for (const auto& [key, seen] : told_) {
        keys.insert(key);
    }
    for (const DefaultRouteKey& key : keys) {
        RouteObservation seen = observation_of(key);
        const auto told = told_.find(key);
        if (told != told_.end() && told->second == seen) {
            continue;
        }
        told_[key] = seen;
        callbacks_.observed(seen);
    }
}

std::string RouteKernel::set(const DefaultRouteKey& key, const NextHops& next_hops) {
    if (const auto error = watch()) {
        return "cannot watch routes: " + error.message();
    }
    if (const auto error = read()) {
        return "cannot read the routes: " + error.message();
    }
    std::string problem;
    std::vector<NextHop> usable;
    for (const NextHop& next_hop : next_hops) {
        const OutgoingInterface out = outgoing_interface(next_hop.interface);
        if (out.problem.empty()) {
            usable.push_back(next_hop);
        } else {
            add_line(problem, out.problem);
        }
    }
    // While no interface works what is there does no harm, and the kernel keeps it better than we.
    if (!usable.empty() || next_hops.empty()) {
        add_line(problem,
                 key.family == Family::Ipv4 ? set_ipv4(key, usable) : set_ipv6(key, usable));
    }
    if (const auto error = read()) {
        return "cannot read the routes: " + error.message();
    }
    told_.try_emplace(key, RouteObservation{.key = key, .next_hops = {}, .hidden_by = {}});
    deliver();
    if (next_hops.empty()) {
        std::erase_if(not_ours_, [&](const auto& entry) { return entry.first == key; });
        told_.erase(key);
    }
    return problem;
}

// The new one is appended behind the old ones, which are then taken away: always a route, and
// never NLM_F_REPLACE, which would replace whatever of this metric comes first.
std::string RouteKernel::set_ipv4(const DefaultRouteKey& key,
                                  const std::vector<NextHop>& next_hops) {
    const std::vector<std::vector<NextHop>> before = table_.own[key];
    std::vector<NextHop> added = next_hops;
    std::string problem;
    if (!next_hops.empty()) {
        std::error_code error = add_ipv4(key, next_hops, !before.empty());
        if (error && error.value() != EEXIST && next_hops.size() > 1) {
            // One of them is not what it was: the others have to work.
            for (std::size_t left_out = 0; error && left_out < next_hops.size(); ++left_out) {
                added = next_hops;
                added.erase(added.begin() + static_cast<std::ptrdiff_t>(left_out));
                const std::error_code without = add_ipv4(key, added, !before.empty());
                if (!without) {
                    add_line(problem,
                             to_string(next_hops[left_out]) + " is refused: " + error.message());
                    error = {};
                }
            }
        }
        if (error) {
            return refusal(key, error);
        }
    }
    for (const std::vector<NextHop>& old : before) {
        if (next_hops.empty() || set_of(old) != set_of(added)) {
            const std::error_code error =
                exchange(ipv4_route_request(RTM_DELROUTE, 0, key.metric, old));
            if (error && error.value() != ESRCH) {
                add_line(problem, refusal(key, error));
            }
        }
    }
    return problem;
}

std::error_code RouteKernel::add_ipv4(const DefaultRouteKey& key,
                                      const std::vector<NextHop>& next_hops,
                                      bool has_own) {
    const int flags = NLM_F_CREATE | (has_own ? NLM_F_APPEND : NLM_F_EXCL);
    const std::error_code error =
        exchange(ipv4_route_request(RTM_NEWROUTE, flags, key.metric, next_hops));
    return has_own && error.value() == EEXIST ? std::error_code{} : error; // it is there already
}

// To the kernel each next hop is a route of its own; those of one metric form the multipath route.
std::string RouteKernel::set_ipv6(const DefaultRouteKey& key,
                                  const std::vector<NextHop>& next_hops) {
    const NextHops before = observation_of(key).next_hops;
    const NextHops wanted = set_of(next_hops);
    std::string problem;
    bool has_own = !before.empty();
    for (const NextHop& next_hop : next_hops) {
        if (before.contains(next_hop)) {
            continue;
        }
        const int flags = NLM_F_CREATE | (has_own ? NLM_F_APPEND : NLM_F_EXCL);
        const auto error = exchange(ipv6_route_request(RTM_NEWROUTE, flags, key.metric, next_hop));
        if (error && (error.value() != EEXIST || !has_own)) {
            add_line(problem,
                     error.value() == EEXIST
                         ? refusal(key, error)
                         : to_string(next_hop) + " is refused: " + error.message());
            continue;
        }
        has_own = true;
        not_ours_.erase({key, next_hop}); // whoever put it there: it is wanted, and there
    }
    std::vector<NextHop> missing;
    for (const NextHop& next_hop : before) {
        if (wanted.contains(next_hop)) {
            continue;
        }
        const auto error = exchange(ipv6_route_request(RTM_DELROUTE, 0, key.metric, next_hop));
        if (error.value() == ESRCH) {
            missing.push_back(next_hop);
        } else if (error) {
            add_line(problem, refusal(key, error));
        }
    }
    if (!missing.empty() && !read()) {
        note_not_ours(key, missing);
    }
    return problem;
}

// There is no such route of ours, and yet the multipath route has the next hop: somebody else
// appended it. Or it is gone, as with its router or its link in the meantime: then it was ours.
void RouteKernel::note_not_ours(const DefaultRouteKey& key, const std::vector<NextHop>& missing) {
    const NextHops present = observation_of(key).next_hops;
    for (const NextHop& next_hop : missing) {
        if (present.contains(next_hop)) {
            not_ours_.emplace(key, next_hop);
        }
    }
}

std::string RouteKernel::refusal(const DefaultRouteKey& key, std::error_code error) const {
    if (error.value() != EEXIST) {
        return "the kernel refuses it: " + error.message();
    }
    const auto other = table_.foreign.find(key);
    return "another program has a default route of the same metric: " +
           (other == table_.foreign.end() ? to_string(key) : other->second) +
           "; set default_route_metric";
}

std::error_code RouteKernel::exchange(Request request) {
    return requests_->exchange(request); // every change begins with a dump
}

WaysOut read_ways_out() {
    WaysOut found;
    auto netlink = open_for_dumps();
    const auto take = [&](nlmsghdr& message) {
        if (auto route = parse_default_route(message)) {
            found.defaults.push_back(std::move(*route));
        } else if (const auto other = parse_gateway_route(message)) {
            found.gateway_interfaces.at(static_cast<std::size_t>(other->family))
                .insert(other->interfaces.begin(), other->interfaces.end());
        }
    };
    if (netlink && dump_routes(*netlink, take)) {
        found = {};
    }
    return found;
}

} // namespace anyvip::vip::kernel
