// SPDX-License-Identifier: Apache-2.0
// Listens at an agent's socket: what has it told this router so far, and does it tell it well?
#pragma once

#include <array>
#include <map>
#include <span>

#include "test/sim/reader.hpp"

namespace anyvip::sim {

class Tap {
  public:
    /// Octets that the node's kernel has taken. Throws `Violation`: a malformed message, a state
    /// told twice, an End-of-RIB too many. `may_announce` is asked for each prefix.
    template <class MayAnnounce>
    void take(std::span<const std::uint8_t> octets, Instant now, const MayAnnounce& may_announce) {
        for (const test::raw::Message& message : framer_.take(octets)) {
            if (message.type == 3) {
                notification = message.body;
            }
            if (message.type != 2) {
                continue;
            }
            has_update = true;
            const Update update = read_update(message.body);
            note(update, now);
            for (const Prefix& prefix : update.announced) {
                may_announce(prefix, update.route);
                announce(prefix, update.route);
            }
        }
    }

    /// The router or the operator asked for everything again: each prefix may be repeated once,
    /// also one whose first UPDATE still waits for the socket.
    void allow_repeats(Family family) {
        ++repeats_allowed_[static_cast<std::size_t>(family)];
        // RFC 4724 §2 leaves it open whether the answer to a plain refresh ends with one.
        ++ends_allowed_[static_cast<std::size_t>(family)];
    }

    Table table;
    std::map<Prefix, Instant> withdrawn_at;
    bool has_update = false;
    Octets notification;

    [[nodiscard]] unsigned ends_of_rib(Family family) const {
        return ends_[static_cast<std::size_t>(family)];
    }

  private:
    void note(const Update& update, Instant now) {
        if (update.end_of_rib) {
            const auto family = static_cast<std::size_t>(*update.end_of_rib);
            if (++ends_[family] > ends_allowed_[family]) {
                throw Violation("End-of-RIB twice");
            }
        }
        for (const Prefix& prefix : update.withdrawn) {
            if (table.erase(prefix) == 0) {
                throw Violation("withdraw of what was not announced: " + to_string(prefix));
            }
            withdrawn_at[prefix] = now;
        }
    }

    void announce(const Prefix& prefix, const Route& route) {
        const auto known = table.find(prefix);
        if (known != table.end() && known->second.attributes == route.attributes) {
            const auto family = static_cast<std::size_t>(prefix.family());
            if (++repeats_[prefix] > repeats_allowed_[family]) {
                throw Violation("an UPDATE repeats the state of " + to_string(prefix));
            }
        }
        table[prefix] = route;
    }

    Framer framer_;
    std::map<Prefix, unsigned> repeats_;
    std::array<unsigned, 2> repeats_allowed_{};
    std::array<unsigned, 2> ends_{};
    std::array<unsigned, 2> ends_allowed_{1, 1};
};

} // namespace anyvip::sim
