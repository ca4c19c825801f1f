// SPDX-License-Identifier: Apache-2.0
#include "vip/kernel/flow_counter.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <utility>

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>

namespace anyvip::vip::kernel {

namespace {

/// Of up to 32 KiB, some 80 sockets each: about a millisecond.
constexpr int max_datagrams_a_turn = 16;
constexpr int buffer_octets = 256 * 1024;

constexpr std::uint32_t live_states = (1U << TCP_ESTABLISHED) | (1U << TCP_FIN_WAIT1) |
                                      (1U << TCP_FIN_WAIT2) | (1U << TCP_CLOSE_WAIT) |
                                      (1U << TCP_LAST_ACK) | (1U << TCP_CLOSING);

IpAddress address_of(std::uint8_t family, const __be32 (&words)[4]) {
    std::array<std::uint8_t, 16> octets{};
    std::memcpy(octets.data(), words, octets.size());
    if (family == AF_INET) {
        return IpAddress::from_octets(std::span(octets).first(4));
    }
    const auto address = IpAddress::v6(octets);
    return address.is_v4_mapped() ? IpAddress::from_octets(std::span(octets).last(4)) : address;
}

/// Time since data last moved in either direction. What was sent has moved only once the other side
/// says so: of a flow that the routers have moved to another node nothing is left but our
/// retransmissions, and each of them would count. A socket without this information has been closed
/// by its service: the kernel alone keeps it.
std::optional<std::chrono::milliseconds> idle_of(const nlattr* attribute) {
    const auto octets = octets_of(attribute);
    tcp_info info{};
    if (octets.size() < offsetof(tcp_info, tcpi_pmtu)) {
        return std::nullopt;
    }
    std::memcpy(&info, octets.data(), std::min(octets.size(), sizeof info));
    const auto since_sent = std::max(info.tcpi_last_data_sent, info.tcpi_last_ack_recv);
    return std::chrono::milliseconds(std::min(info.tcpi_last_data_recv, since_sent));
}

} // namespace

FlowCounter::FlowCounter(boost::asio::io_context& loop,
                         std::function<void(const FlowCounts&)> on_counted)
    : loop_(loop), on_counted_(std::move(on_counted)), timer_(loop, [this] { begin_pass(); }) {}

void FlowCounter::watch(std::vector<IpAddress> addresses, std::chrono::milliseconds pause) {
    std::ranges::sort(addresses);
    const bool is_in_pause = !socket_ && !addresses_.empty();
    const bool is_sooner = pause < std::exchange(pause_, pause);
    if (addresses == addresses_) {
        // A drain that begins must not wait for the end of an everyday pause.
        if (is_in_pause && is_sooner) {
            timer_.arm(std::chrono::milliseconds(0));
        }
        return;
    }
    addresses_ = std::move(addresses);
    readable_.reset();
    socket_.reset();
    timer_.disarm();
    if (!addresses_.empty()) {
        timer_.arm(std::chrono::milliseconds(0));
    }
}

void FlowCounter::begin_pass() {
    counts_.clear();
    for (const IpAddress& address : addresses_) {
        counts_.try_emplace(address);
    }
    auto socket = Netlink::subscribe(NETLINK_SOCK_DIAG, {}, buffer_octets);
    if (!socket) {
        end_pass(false);
        return;
    }
    socket_ = std::move(*socket);
    readable_.emplace(loop_, socket_->descriptor(), [this] { on_readable(); });
    request(AF_INET);
}

void FlowCounter::request(std::uint8_t family) {
    family_ = family;
    inet_diag_req_v2 header{};
    header.sdiag_family = family;
    header.sdiag_protocol = IPPROTO_TCP;
    header.idiag_ext = 1U << (INET_DIAG_INFO - 1);
    header.idiag_states = live_states;
    Request request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
    request.header(header);
    if (socket_->send(request)) {
        end_pass(false);
    } else {
        readable_->arm();
    }
}

void FlowCounter::on_readable() {
    for (int i = 0; i < max_datagrams_a_turn; ++i) {
        const auto received = socket_->receive([this](nlmsghdr& message) { count(message); });
        // A dump during which sockets come and go is always "interrupted".
        const bool is_end =
            received.is_end && (!received.error || received.error == std::errc::interrupted);
        if (is_end && family_ == AF_INET) {
            request(AF_INET6);
            return;
        }
        if (is_end) {
            end_pass(true);
            return;
        }
        if (received.error == std::errc::resource_unavailable_try_again) {
            break;
        }
        if (received.error) {
            end_pass(false);
            return;
        }
    }
    readable_->arm();
}

void FlowCounter::end_pass(bool is_complete) {
    readable_.reset();
    socket_.reset();
    timer_.arm(pause_);
    if (is_complete) {
        on_counted_(FlowCounts(counts_)); // may change what is watched
    }
}

void FlowCounter::count(nlmsghdr& message) {
    std::array<nlattr*, INET_DIAG_MAX + 1> attributes{};
    if (nlmsg_parse(&message, sizeof(inet_diag_msg), attributes.data(), INET_DIAG_MAX, nullptr) <
        0) {
        return;
    }
    const auto& flow = *static_cast<const inet_diag_msg*>(nlmsg_data(&message));
    const IpAddress local = address_of(flow.idiag_family, flow.id.idiag_src);
    const auto found = counts_.find(local);
    if (found == counts_.end()) {
        return;
    }
    const IpAddress remote = address_of(flow.idiag_family, flow.id.idiag_dst);
    const auto idle = idle_of(attributes[INET_DIAG_INFO]);
    if (!idle || remote == local || remote.is_loopback() || counts_.contains(remote)) {
        return;
    }
    FlowCount& count = found->second;
    count.least_idle = count.flows == 0 ? *idle : std::min(count.least_idle, *idle);
    ++count.flows;
}

} // namespace anyvip::vip::kernel
