// SPDX-License-Identifier: Apache-2.0
// One address that shall be on an interface: what to ask of the kernel next, and what to do when
// somebody else takes it away (CONTRACT section 3).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "vip/decision.hpp"
#include "vip/insistence.hpp"

namespace anyvip::vip {

/// Level-triggered: `want` says how it shall be, `next_step` what to do about it now.
class HeldAddress {
  public:
    enum class Step : std::uint8_t { Nothing, Add, Remove };
    enum class Change : std::uint8_t {
        Nothing,
        Changed,
        TakenAway, ///< by somebody else, though it is wanted
    };

    void want(bool is_wanted) { is_wanted_ = is_wanted; }

    /// It takes over from the same address on another interface: its route need not go away.
    void take_over(Instant now);

    [[nodiscard]] Change observed(bool is_present, bool is_owned, Instant now);
    /// The kernel refused the last step.
    void failed(std::string_view reason, Instant now);
    /// Asked once for each step until it is answered. An address that is not ours is never removed.
    [[nodiscard]] Step next_step(Instant now);
    /// Returns true when `presence` may have changed.
    bool tick(Instant now);
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    [[nodiscard]] Presence presence() const;

    [[nodiscard]] bool is_present() const { return is_present_; }

    [[nodiscard]] bool is_owned() const { return is_owned_; }

    /// Empty: nothing is wrong.
    [[nodiscard]] const std::string& problem() const { return problem_; }

    /// What goes over at an upgrade in place (cmd/handover).
    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, is_wanted_);
        archive.field(2, is_present_);
        archive.field(3, is_owned_);
        archive.field(4, is_restoring_);
        archive.choice(5, asked_, Step::Remove);
        insistence_.transfer(archive, 6);
        archive.field(10, problem_);
    }

  private:
    void taken_away(Instant now);

    bool is_wanted_ = false;
    bool is_present_ = false;
    bool is_owned_ = false;
    bool is_restoring_ = false;
    Step asked_ = Step::Nothing;
    Insistence insistence_;
    std::string problem_;
};

} // namespace anyvip::vip
