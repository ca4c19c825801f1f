// SPDX-License-Identifier: Apache-2.0
// Who holds which VIP out of service, and in which step the drain is (CONTRACT section 3).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace anyvip::vip {

using WallTime = std::chrono::system_clock::time_point;

/// The steps of a drain, in order.
enum class DrainStep : std::uint8_t {
    None,
    GracefulShutdown, ///< announced with GRACEFUL_SHUTDOWN (RFC 8326) for `gshut`
    Withdrawn,        ///< withdrawn with the session up; flows and packets are counted
    Finished,         ///< traffic has ended, or the deadline has passed
};
[[nodiscard]] std::string_view to_string(DrainStep step);

/// One holder as kept on disk.
struct Hold {
    WallTime since;
    std::optional<WallTime> until;
    std::string reason;
    std::string author; ///< "root (uid 0, pid 4711)"

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, since);
        archive.field(2, until);
        archive.field(3, reason);
        archive.field(4, author);
    }

    friend bool operator==(const Hold&, const Hold&) = default;
};

/// What outlives a restart. Keys: VIP names (with their addresses, so that a rename keeps it), peer
/// names.
struct DrainState {
    std::optional<Hold> node;

    struct VipHold {
        Hold hold;
        std::vector<std::string> addresses;

        template <class Archive> void transfer(Archive& archive) {
            archive.field(1, hold);
            archive.field(2, addresses);
        }

        friend bool operator==(const VipHold&, const VipHold&) = default;
    };

    std::map<std::string, VipHold> vips;
    std::map<std::string, Hold> peers;
    /// Not empty: the file could not be read; all VIPs are held with this reason until `undrain`.
    std::string unreadable;

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, node);
        archive.field(2, vips);
        archive.field(3, peers);
        archive.field(4, unreadable);
    }

    friend bool operator==(const DrainState&, const DrainState&) = default;
};

struct DrainRequest {
    std::vector<std::string> vips{}; ///< empty: the node
    std::string peer{};              ///< not empty: take one router out of use
    std::optional<std::chrono::milliseconds> deadline{};
    std::optional<std::chrono::milliseconds> until{}; ///< from now
    std::string reason{};
    std::string author{};
    bool force = false;
    bool dry_run = false;
};

struct UndrainRequest {
    std::vector<std::string> vips{};
    std::string peer{};
    std::string author{};
};

/// `status`: 200 accepted, 404 no such name, 409 refused, 507 not on disk.
struct DrainReply {
    unsigned status = 200;
    std::string error;                ///< empty: fine
    std::vector<std::string> changed; ///< names whose holder was added or removed
    std::vector<std::string> notes;
};

struct FlowCount {
    std::uint64_t flows = 0;
    std::chrono::milliseconds least_idle{0}; ///< shortest silence of any flow

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, flows);
        archive.field(2, least_idle);
    }

    friend bool operator==(const FlowCount&, const FlowCount&) = default;
};

} // namespace anyvip::vip
