// SPDX-License-Identifier: Apache-2.0
// One BFD session in asynchronous mode (RFC 5880 §6): packets and the time in, at most one packet
// and one change out. No echo, no authentication, never in demand mode itself.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "bgp/bfd/packet.hpp"
#include "bgp/types.hpp"

namespace anyvip::bgp::bfd {

struct Timing {
    Interval transmit{300000}; ///< wanted while Up
    Interval receive{300000};
    std::uint8_t multiplier = 3;

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, transmit);
        archive.field(2, receive);
        archive.field(3, multiplier);
        archive.require(multiplier != 0, "a multiplier of zero");
    }

    friend bool operator==(const Timing&, const Timing&) = default;
};

/// The session changed its state, or the peer became administratively down or ceased to be it.
struct Change {
    State from = State::Down;
    State to = State::Down;
    Diagnostic diagnostic = Diagnostic::None; ///< ours
    bool is_peer_admin_down = false;
    /// How long nothing had been received; zero before the first packet.
    Duration silence{};
    /// By how much we ourselves were late, at worst, within the last detection times: what the
    /// peer did not receive in time, or what we did not read in time.
    Duration own_delay{};
    Duration detection_time{}; ///< as it was
    friend bool operator==(const Change&, const Change&) = default;
};

/// What is to be done after one input.
struct Step {
    std::optional<Packet> send; ///< at once
    std::optional<Change> change;
};

/// What operators see.
struct SessionView {
    State state = State::Down;
    State remote_state = State::Down;
    Diagnostic diagnostic = Diagnostic::None; ///< as sent now
    Diagnostic last_fall = Diagnostic::None;  ///< why it was last left Up
    Diagnostic remote_diagnostic = Diagnostic::None;
    std::uint32_t my_discriminator = 0;
    std::uint32_t your_discriminator = 0;
    std::uint8_t remote_multiplier = 0; ///< 0: nothing received yet
    Interval remote_desired_min_tx{0};
    Interval remote_required_min_rx{0};
    Duration transmit_interval{}; ///< negotiated, before jitter; zero: nothing is sent periodically
    Duration detection_time{};    ///< zero: none yet
    bool is_polling = false;
    Duration worst_delay{}; ///< of our own wake-ups, ever
};

class Session {
  public:
    /// To be filled by `transfer`.
    Session() : Session(Timing{}, 1, 0, Instant{}) {}

    /// `discriminator` is not zero and unique among the sessions of this host. The first packet is
    /// due at once.
    Session(const Timing& timing, std::uint32_t discriminator, std::uint64_t seed, Instant now);

    /// A packet that was found to belong to this session, received by the kernel `at`.
    [[nodiscard]] Step receive(const Packet& packet, Instant at, Instant now);

    /// To be called when `next_deadline` has come, after everything that waits in the socket was
    /// fed to `receive`: so a late wake-up is not taken for the silence of the peer.
    [[nodiscard]] Step tick(Instant now);

    /// While Up the change is negotiated with a Poll Sequence (RFC 5880 §6.8.3).
    [[nodiscard]] Step reconfigure(const Timing& timing, Instant now);

    /// An extra packet before a pause of our own, while Up: the peer then waits as long as it can.
    [[nodiscard]] Step refresh(Instant now);

    /// RFC 5880 §6.8.16; for good. The peer knows surely after `farewell`.
    [[nodiscard]] Step disable(Instant now);

    /// How long AdminDown has to be sent on when `disable` is called now.
    [[nodiscard]] Duration farewell() const;

    /// nullopt: nothing will happen without a packet.
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    [[nodiscard]] State state() const { return state_; }

    [[nodiscard]] std::uint32_t discriminator() const { return discriminator_; }

    [[nodiscard]] SessionView view() const;

    /// What goes over at an upgrade in place (cmd/handover): all of it, the schedule included.
    template <class Archive> void transfer(Archive& archive) {
        constexpr Diagnostic any_received{31};
        archive.field(1, timing_);
        archive.field(2, discriminator_);
        archive.field(3, random_);
        archive.choice(4, state_, State::Up);
        archive.choice(5, remote_state_, State::Up);
        archive.choice(6, diagnostic_, any_received);
        archive.field(7, remote_discriminator_);
        archive.field(8, desired_min_tx_);
        archive.field(9, required_min_rx_);
        archive.field(10, remote_min_rx_);
        archive.field(11, remote_demand_);
        archive.choice(12, last_fall_, any_received);
        archive.choice(13, remote_diagnostic_, any_received);
        archive.field(14, remote_multiplier_);
        archive.field(15, remote_desired_min_tx_);
        archive.field(16, transmit_in_force_);
        archive.field(17, receive_in_force_);
        archive.choice(18, poll_, Poll::ActiveAndStale);
        archive.field(19, last_sent_);
        archive.field(20, jitter_);
        archive.field(21, created_);
        archive.field(22, last_received_);
        archive.field(23, grace_);
        archive.field(24, delay_);
        archive.field(25, delay_at_);
        archive.field(26, worst_delay_);
        archive.require(discriminator_ != 0, "a discriminator of zero");
    }

  private:
    enum class Poll : std::uint8_t { Idle, Active, ActiveAndStale };

    void learn(const Packet& packet, Instant at);
    void end_poll();
    [[nodiscard]] std::optional<Change> advance(Instant now);
    [[nodiscard]] Change enter(State state, Diagnostic diagnostic, Instant now);
    void start_poll();
    void forget_peer();
    [[nodiscard]] Packet packet_to_send(bool is_final) const;
    [[nodiscard]] Packet send_now(Instant now);
    [[nodiscard]] bool is_sending_periodically() const;
    [[nodiscard]] Duration transmit_interval() const;
    [[nodiscard]] Duration detection_time() const;
    [[nodiscard]] Instant transmit_at() const;
    [[nodiscard]] std::optional<Instant> detect_at() const;
    [[nodiscard]] std::optional<Change> detect(Instant now);
    [[nodiscard]] Interval desired_now() const;
    [[nodiscard]] Duration expected_interval() const;
    void note_delay(Duration delay, Instant now);
    [[nodiscard]] Duration recent_delay(Instant now) const;

    Timing timing_;
    std::uint32_t discriminator_;
    std::uint64_t random_;

    // RFC 5880 §6.8.1, named as there.
    State state_ = State::Down;
    State remote_state_ = State::Down;
    Diagnostic diagnostic_ = Diagnostic::None;
    std::uint32_t remote_discriminator_ = 0;
    Interval desired_min_tx_;
    Interval required_min_rx_;
    Interval remote_min_rx_{1};
    bool remote_demand_ = false;

    Diagnostic last_fall_ = Diagnostic::None;
    Diagnostic remote_diagnostic_ = Diagnostic::None;
    std::uint8_t remote_multiplier_ = 0;
    Interval remote_desired_min_tx_{0};

    // What is in force until the peer has confirmed the new values.
    Interval transmit_in_force_;
    Interval receive_in_force_;
    Poll poll_ = Poll::Idle;

    std::optional<Instant> last_sent_;
    std::uint32_t jitter_ = 0; ///< of the present interval, in 1/65536
    Instant created_;
    std::optional<Instant> last_received_;
    Duration grace_{}; ///< added to the detection time once, after a late wake-up of our own

    Duration delay_{}; ///< our own, last noted
    std::optional<Instant> delay_at_;
    Duration worst_delay_{};
};

} // namespace anyvip::bgp::bfd
