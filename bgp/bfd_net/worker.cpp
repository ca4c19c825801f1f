// SPDX-License-Identifier: Apache-2.0
#include "bgp/bfd_net/worker.hpp"

#include <algorithm>
#include <cerrno>
#include <tuple>
#include <utility>

#include "bgp/limits.hpp"

#include <poll.h>
#include <unistd.h>

namespace anyvip::bgp::bfd_net {

namespace {

using Clock = std::chrono::steady_clock;

/// Figures are refreshed this often.
constexpr std::chrono::seconds report_interval{1};
/// A port that another program has is asked for again after this time.
constexpr std::chrono::seconds open_again_after{1};

} // namespace

Worker::Worker(Channel& channel, std::uint64_t seed) : channel_(channel), engine_(seed) {
    slots_.reserve(limits::bfd_sessions);
}

void Worker::run() {
    is_over_ = false;
    while (!is_over_) {
        take_commands();
        // What has arrived comes before what is due: after a late wake-up the peer's packets are
        // waiting, and it is not silent.
        read_sockets();
        meet_deadlines();
        report_news(Clock::now());
        wait();
    }
}

void Worker::take_commands() {
    std::uint64_t ignored = 0;
    std::ignore = ::read(channel_.commands_written.get(), &ignored, sizeof ignored);
    while (const auto command = channel_.commands.pop()) {
        execute(*command, Clock::now());
    }
}

void Worker::execute(const Command& command, Instant now) {
    switch (command.kind) {
    case Command::Kind::Add: {
        const bfd::PeerKey key{command.endpoint.peer, 0, command.endpoint.multihop != 0};
        // A session that still says goodbye to this peer ends here; the slot goes with it.
        const bool is_added = engine_.add(
            {command.id, key, command.endpoint.multihop, command.timing, command.discriminator},
            now);
        Slot slot;
        slot.id = command.id;
        slot.endpoint = command.endpoint;
        slot.sender.port = next_port_;
        next_port_ = next_port_ == UINT16_MAX ? first_source_port
                                              : static_cast<std::uint16_t>(next_port_ + 1);
        slot.is_news = true;
        if (is_added) {
            slots_.push_back(std::move(slot));
        } else {
            set_obstacle(slot, Obstacle::NoPlace, ENOSPC);
            std::ignore = report(slot, true, now);
        }
        open_receivers(now);
        return;
    }
    case Command::Kind::Reconfigure:
        return act(engine_.reconfigure(command.id, command.timing, now), now);
    case Command::Kind::Remove:
        return act(engine_.remove(command.id, now), now);
    case Command::Kind::Pause:
        for (const Slot& slot : slots_) {
            act(engine_.refresh(slot.id, now), now);
        }
        is_over_ = true;
        return;
    case Command::Kind::Quit:
        is_over_ = true;
        return;
    }
}

void Worker::read_sockets() {
    const ClockPair clocks = read_clock_pair();
    for (const Receiver& receiver : receivers_) {
        for (int count = 0; receiver.socket.is_open() && count < limits::bfd_datagrams_at_once;
             ++count) {
            const auto datagram = receive(receiver.socket.get(), receiver.is_multihop, clocks);
            if (!datagram) {
                break;
            }
            const Instant now = Clock::now();
            act(engine_.receive(
                    std::span(datagram->octets).first(datagram->size), datagram->arrival, now),
                now);
        }
    }
}

void Worker::meet_deadlines() {
    const Instant now = Clock::now();
    while (const auto outcome = engine_.tick(now)) {
        act(*outcome, now);
    }
    while (engine_.take_removed(now)) {
    }
    std::erase_if(slots_, [&](Slot& slot) {
        return engine_.find(slot.id) == nullptr && report(slot, true, now);
    });
    if (open_again_at_ && now >= *open_again_at_) {
        open_receivers(now);
    }
}

void Worker::act(const bfd::Outcome& outcome, Instant now) {
    if (Slot* moved = find(outcome.elsewhere)) {
        if (engine_.find(moved->id)->state() != bfd::State::Up) {
            moved->sender.socket.close(); // the next packet looks for the interface again
        }
        return;
    }
    Slot* slot = find(outcome.session);
    if (slot == nullptr) {
        return;
    }
    if (outcome.step.change) {
        slot->unreported.add(*outcome.step.change);
        slot->is_news = true;
        if (outcome.step.change->to == bfd::State::Down) {
            // Our address may have moved to another interface, where the old socket goes on
            // sending well, but nothing is heard.
            slot->sender.socket.close();
        }
        if (report(*slot, false, now)) {
            slot->is_news = false;
        }
    }
    if (outcome.step.send) {
        transmit(*slot, *outcome.step.send);
    }
}

void Worker::transmit(Slot& slot, const bfd::Packet& packet) {
    if (!slot.sender.socket.is_open()) {
        auto opened = open_sender(slot.endpoint, slot.sender.port);
        if (!opened) {
            engine_.count_sent(slot.id, false);
            return set_obstacle(slot, Obstacle::Open, opened.error().value());
        }
        slot.sender = *std::move(opened);
        engine_.set_interface(slot.id, slot.sender.interface);
    }
    const std::error_code error = send(slot.sender.socket.get(), bfd::encode(packet));
    engine_.count_sent(slot.id, !error);
    const bool is_refused = error == std::errc::connection_refused;
    const bool is_sent = !error || is_refused;
    set_obstacle(slot, is_sent ? Obstacle::None : Obstacle::Send, is_sent ? 0 : error.value());
    // The interface may have been made anew, or our address may be another now; or none of ours was
    // in the peer's subnet yet, and it is sent from another one.
    const bool is_astray = slot.sender.interface == 0 && slot.endpoint.multihop == 0;
    if (packet.state != bfd::State::Up && (!is_sent || is_astray)) {
        slot.sender.socket.close();
    }
}

// A receiver that some session needs and that cannot be had is tried again: until then nothing is
// heard from that peer.
void Worker::open_receivers(Instant now) {
    open_again_at_.reset();
    for (Receiver& receiver : receivers_) {
        const auto uses = [&receiver](const Slot& slot) {
            return slot.endpoint.peer.family() == receiver.family &&
                   (slot.endpoint.multihop != 0) == receiver.is_multihop;
        };
        const bool is_used = std::ranges::any_of(slots_, uses);
        if (!is_used) {
            receiver.socket.close();
        }
        if (!is_used || receiver.socket.is_open()) {
            continue;
        }
        auto opened = open_receiver(receiver.family, receiver.is_multihop);
        if (opened) {
            receiver.socket = *std::move(opened);
        } else {
            open_again_at_ = now + open_again_after;
        }
        for (Slot& slot : slots_) {
            if (uses(slot)) {
                set_obstacle(slot,
                             opened ? Obstacle::None : Obstacle::Listen,
                             opened ? 0 : opened.error().value());
            }
        }
    }
}

void Worker::set_obstacle(Slot& slot, Obstacle obstacle, int error) {
    const bool is_deaf = slot.obstacle == Obstacle::Listen && obstacle != Obstacle::Listen &&
                         open_again_at_.has_value();
    if (is_deaf || (slot.obstacle == obstacle && slot.error == error)) {
        return; // that packets can be sent does not help a session that hears nothing
    }
    slot.obstacle = obstacle;
    slot.error = error;
    slot.is_news = true;
}

void Worker::report_news(Instant now) {
    for (Slot& slot : slots_) {
        if (slot.is_news) {
            slot.is_news = !report(slot, false, now);
        } else if (now - slot.reported_at >= report_interval) {
            std::ignore = report(slot, false, now);
        }
    }
    if (std::exchange(has_reported_, false)) {
        const std::uint64_t one = 1;
        std::ignore = ::write(channel_.reports_written.get(), &one, sizeof one);
    }
}

// False: the queue is full. Nothing is lost by that; the next round tries again.
bool Worker::report(Slot& slot, bool is_removed, Instant now) {
    Report report;
    report.id = slot.id;
    report.is_removed = is_removed;
    report.change = slot.unreported.change;
    report.missed_fall = slot.unreported.missed_fall;
    if (const bfd::Session* session = engine_.find(slot.id)) {
        report.view = session->view();
        report.counters = *engine_.counters(slot.id);
    }
    report.obstacle = slot.obstacle;
    report.error = slot.error;
    slot.reported_at = now;
    if (!channel_.reports.push(report)) {
        return false;
    }
    slot.unreported = {};
    has_reported_ = true;
    return true;
}

void Worker::wait() {
    std::array<pollfd, 5> descriptors{};
    nfds_t count = 0;
    const auto watch = [&](const net::FileDescriptor& descriptor) {
        if (descriptor.is_open()) {
            descriptors.at(count++) = {descriptor.get(), POLLIN, 0};
        }
    };
    watch(channel_.commands_written);
    for (const Receiver& receiver : receivers_) {
        watch(receiver.socket);
    }
    std::optional<Instant> deadline = engine_.next_deadline();
    if (open_again_at_ && (!deadline || *open_again_at_ < *deadline)) {
        deadline = open_again_at_;
    }
    timespec pause{};
    if (deadline) {
        const Duration left = std::max(*deadline - Clock::now(), Duration{});
        pause.tv_sec = left / std::chrono::seconds(1);
        pause.tv_nsec = (left % std::chrono::seconds(1)).count();
    }
    if (!is_over_) {
        std::ignore = ::ppoll(descriptors.data(), count, deadline ? &pause : nullptr, nullptr);
    }
}

Worker::Slot* Worker::find(std::uint32_t id) {
    const auto found = std::ranges::find(slots_, id, &Slot::id);
    return found == slots_.end() ? nullptr : &*found;
}

} // namespace anyvip::bgp::bfd_net
