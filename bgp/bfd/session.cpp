// SPDX-License-Identifier: Apache-2.0
// All deadlines are functions of the state, so an interval that changes needs no timer to be moved.
#include "bgp/bfd/session.hpp"

#include <algorithm>
#include <utility>

namespace anyvip::bgp::bfd {

namespace {

/// RFC 5880 §6.8.3: the least transmit interval while the session is not Up.
constexpr Interval slow_interval{1000000};
/// AdminDown is told for at most this long.
constexpr std::chrono::seconds longest_farewell{3};
/// How often a delay of our own is remembered as the possible cause of a fall, in detection times.
constexpr int delay_memory = 2;

/// splitmix64: good enough to spread packets, and the same everywhere.
[[nodiscard]] std::uint64_t next_random(std::uint64_t& state) {
    state += 0x9E3779B97F4A7C15ULL;
    std::uint64_t z = state;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31U);
}

/// RFC 5880 §6.8.7: each interval is shortened by up to 25 %; with a multiplier of 1 by at least
/// 10 %, because then the peer's detection time is one interval.
[[nodiscard]] std::uint32_t draw_jitter(std::uint64_t& random, std::uint8_t multiplier) {
    constexpr std::uint32_t three_quarters = 49152;
    const std::uint64_t span = multiplier == 1 ? 9830 : 16384;
    return three_quarters + static_cast<std::uint32_t>(next_random(random) % span);
}

} // namespace

Session::Session(const Timing& timing, std::uint32_t discriminator, std::uint64_t seed, Instant now)
    : timing_(timing), discriminator_(discriminator), random_(seed), desired_min_tx_(desired_now()),
      required_min_rx_(timing.receive), transmit_in_force_(desired_min_tx_),
      receive_in_force_(required_min_rx_), created_(now) {}

// RFC 5880 §6.8.6, from "Set bfd.RemoteDiscr" on.
Step Session::receive(const Packet& packet, Instant at, Instant now) {
    const bool was_peer_admin_down = remote_state_ == State::AdminDown;
    learn(packet, at);
    if (packet.final) {
        end_poll();
    }
    Step step;
    if (state_ != State::AdminDown) {
        step.change = advance(now);
        if (step.change) {
            step.send = send_now(now);
        } else if (was_peer_admin_down != (remote_state_ == State::AdminDown)) {
            step.change = Change{state_, state_, diagnostic_, !was_peer_admin_down, {}, {}, {}};
        }
    }
    if (packet.poll) {
        // RFC 5880 §6.8.7: in every state and whatever the schedule says. A change of the state is
        // in it, too.
        step.send = packet_to_send(true);
    }
    return step;
}

void Session::learn(const Packet& packet, Instant at) {
    remote_discriminator_ = packet.my_discriminator;
    remote_state_ = packet.state;
    remote_diagnostic_ = packet.diagnostic;
    remote_demand_ = packet.demand;
    remote_min_rx_ = packet.required_min_rx;
    remote_desired_min_tx_ = packet.desired_min_tx;
    remote_multiplier_ = packet.multiplier;
    last_received_ = last_received_ ? std::max(*last_received_, at) : at;
    grace_ = {};
}

// RFC 5880 §6.8.6, the state machine; rows are local states.
std::optional<Change> Session::advance(Instant now) {
    switch (state_) {
    case State::AdminDown:
        return std::nullopt;
    case State::Down:
        if (remote_state_ == State::Down) {
            return enter(State::Init, Diagnostic::None, now);
        }
        if (remote_state_ == State::Init) {
            return enter(State::Up, Diagnostic::None, now);
        }
        return std::nullopt;
    case State::Init:
        if (remote_state_ == State::AdminDown) {
            return enter(State::Down, Diagnostic::NeighborSignaledDown, now);
        }
        if (remote_state_ == State::Init || remote_state_ == State::Up) {
            return enter(State::Up, Diagnostic::None, now);
        }
        return std::nullopt;
    case State::Up:
        if (remote_state_ == State::AdminDown || remote_state_ == State::Down) {
            return enter(State::Down, Diagnostic::NeighborSignaledDown, now);
        }
        return std::nullopt;
    }
    return std::nullopt;
}

Change Session::enter(State state, Diagnostic diagnostic, Instant now) {
    Change change{std::exchange(state_, state),
                  state,
                  diagnostic,
                  remote_state_ == State::AdminDown,
                  last_received_ ? now - *last_received_ : Duration{},
                  recent_delay(now),
                  detection_time()};
    diagnostic_ = diagnostic;
    if (change.from == State::Up) {
        last_fall_ = diagnostic;
    }
    desired_min_tx_ = desired_now();
    if (state == State::Up) {
        transmit_in_force_ = std::min(transmit_in_force_, desired_min_tx_);
        start_poll();
        return change;
    }
    // DEVIATION RFC 5880 §6.8.3: leaving Up starts no Poll Sequence. The peer is silent, or it
    // learns the slower interval from the packet that tells the new state.
    transmit_in_force_ = desired_min_tx_;
    receive_in_force_ = required_min_rx_;
    poll_ = Poll::Idle;
    return change;
}

Step Session::tick(Instant now) {
    Step step;
    const bool is_due = is_sending_periodically() && now >= transmit_at();
    if (is_due && last_sent_) {
        note_delay(now - transmit_at(), now);
    }
    step.change = detect(now);
    if (is_due || (step.change && step.change->from != step.change->to)) {
        step.send = send_now(now);
    }
    return step;
}

// RFC 5880 §6.8.4. Up and Init end; in Down only the peer's discriminator is forgotten (§6.8.1).
std::optional<Change> Session::detect(Instant now) {
    const std::optional<Instant> at = detect_at();
    if (!at || now < *at) {
        return std::nullopt;
    }
    const bool is_alive = state_ == State::Init || state_ == State::Up;
    const Duration late = now - *at;
    if (is_alive && grace_ == Duration{} && late > expected_interval()) {
        // We were not running when the peer's time was up, perhaps the whole machine was not, and
        // nobody kept its packets. It has one interval to be heard now that we listen.
        note_delay(late, now);
        grace_ = late + expected_interval();
        return std::nullopt;
    }
    std::optional<Change> change;
    if (is_alive) {
        change = enter(State::Down, Diagnostic::DetectionTimeExpired, now);
    } else if (remote_state_ == State::AdminDown) {
        change = Change{state_, state_, diagnostic_, false, {}, {}, {}};
    }
    forget_peer();
    return change;
}

// RemoteMinRxInterval goes back to its first value as well: a peer that had asked for no packets at
// all and then died could not be greeted otherwise.
void Session::forget_peer() {
    remote_discriminator_ = 0;
    remote_state_ = State::Down;
    remote_demand_ = false;
    remote_min_rx_ = Interval{1};
    remote_multiplier_ = 0;
    grace_ = {};
}

Step Session::reconfigure(const Timing& timing, Instant now) {
    if (timing == timing_) {
        return {};
    }
    timing_ = timing;
    if (state_ == State::AdminDown) {
        return {};
    }
    desired_min_tx_ = desired_now();
    required_min_rx_ = timing.receive;
    if (state_ == State::Up) {
        // RFC 5880 §6.8.3: a longer transmit interval and a shorter detection time wait until the
        // peer knows of them; what is safer is used at once.
        transmit_in_force_ = std::min(transmit_in_force_, desired_min_tx_);
        receive_in_force_ = std::max(receive_in_force_, required_min_rx_);
        start_poll();
    } else {
        transmit_in_force_ = desired_min_tx_;
        receive_in_force_ = required_min_rx_;
    }
    return {send_now(now), std::nullopt};
}

Step Session::refresh(Instant now) {
    if (state_ != State::Up || !is_sending_periodically()) {
        return {};
    }
    return {send_now(now), std::nullopt};
}

Step Session::disable(Instant now) {
    if (state_ == State::AdminDown) {
        return {};
    }
    Step step;
    step.change = enter(State::AdminDown, Diagnostic::AdministrativelyDown, now);
    step.send = send_now(now);
    return step;
}

Duration Session::farewell() const {
    if (state_ != State::Up && state_ != State::Init) {
        return {};
    }
    // The peer's detection time; and at least until a second copy has left, should one get lost.
    // DEVIATION RFC 5880 §6.8.16: no longer than it takes to say it three times. How long a stop
    // takes is not for the peer to decide.
    const Duration detection = timing_.multiplier * transmit_interval();
    return std::clamp<Duration>(detection, slow_interval, longest_farewell);
}

void Session::start_poll() {
    // RFC 5880 §6.5: a Final on its way may answer the values before these.
    poll_ = poll_ == Poll::Idle ? Poll::Active : Poll::ActiveAndStale;
}

void Session::end_poll() {
    switch (poll_) {
    case Poll::Idle:
        return;
    case Poll::ActiveAndStale:
        poll_ = Poll::Active;
        return;
    case Poll::Active:
        poll_ = Poll::Idle;
        transmit_in_force_ = desired_min_tx_;
        receive_in_force_ = required_min_rx_;
        return;
    }
}

Packet Session::send_now(Instant now) {
    last_sent_ = now;
    jitter_ = draw_jitter(random_, timing_.multiplier);
    return packet_to_send(false);
}

// RFC 5880 §6.8.7
Packet Session::packet_to_send(bool is_final) const {
    Packet packet;
    packet.diagnostic = diagnostic_;
    packet.state = state_;
    packet.poll = poll_ != Poll::Idle && !is_final; // never both (RFC 5880 §6.5)
    packet.final = is_final;
    packet.multiplier = timing_.multiplier;
    packet.my_discriminator = discriminator_;
    packet.your_discriminator = remote_discriminator_;
    packet.desired_min_tx = desired_min_tx_;
    packet.required_min_rx = required_min_rx_;
    return packet;
}

Interval Session::desired_now() const {
    return state_ == State::Up ? timing_.transmit : std::max(timing_.transmit, slow_interval);
}

// RFC 5880 §6.8.7: not when the peer wants none, nor when it is in demand mode and both are Up.
bool Session::is_sending_periodically() const {
    if (remote_min_rx_ == Interval{0}) {
        return false;
    }
    const bool is_quiet = remote_demand_ && state_ == State::Up && remote_state_ == State::Up;
    return !is_quiet || poll_ != Poll::Idle;
}

Duration Session::transmit_interval() const {
    if (state_ == State::AdminDown) {
        // DEVIATION RFC 5880 §6.8.7: whatever interval the peer asks for. These are the last few.
        return slow_interval;
    }
    return std::max(transmit_in_force_, remote_min_rx_);
}

Instant Session::transmit_at() const {
    return last_sent_ ? *last_sent_ + transmit_interval() * jitter_ / 65536 : created_;
}

Duration Session::expected_interval() const {
    return std::max(receive_in_force_, remote_desired_min_tx_);
}

Duration Session::detection_time() const {
    return remote_multiplier_ * expected_interval();
}

std::optional<Instant> Session::detect_at() const {
    if (state_ == State::AdminDown || remote_multiplier_ == 0 || !last_received_) {
        return std::nullopt;
    }
    return *last_received_ + detection_time() + grace_;
}

std::optional<Instant> Session::next_deadline() const {
    std::optional<Instant> next = detect_at();
    if (is_sending_periodically()) {
        next = next ? std::min(*next, transmit_at()) : transmit_at();
    }
    return next;
}

void Session::note_delay(Duration delay, Instant now) {
    worst_delay_ = std::max(worst_delay_, delay);
    if (delay >= recent_delay(now)) {
        delay_ = delay;
        delay_at_ = now;
    }
}

Duration Session::recent_delay(Instant now) const {
    const bool is_recent =
        delay_at_ && now - *delay_at_ <= delay_memory * std::max(detection_time(), delay_);
    return is_recent ? delay_ : Duration{};
}

SessionView Session::view() const {
    SessionView view;
    view.state = state_;
    view.remote_state = remote_state_;
    view.diagnostic = diagnostic_;
    view.last_fall = last_fall_;
    view.remote_diagnostic = remote_diagnostic_;
    view.my_discriminator = discriminator_;
    view.your_discriminator = remote_discriminator_;
    view.remote_multiplier = remote_multiplier_;
    view.remote_desired_min_tx = remote_desired_min_tx_;
    view.remote_required_min_rx = remote_min_rx_;
    view.transmit_interval = is_sending_periodically() ? transmit_interval() : Duration{};
    view.detection_time = detection_time();
    view.is_polling = poll_ != Poll::Idle;
    view.worst_delay = worst_delay_;
    return view;
}

} // namespace anyvip::bgp::bfd
