// SPDX-License-Identifier: Apache-2.0
// Since when something is as it is, and what made it so: what `explain` tells of every condition
// (CONTRACT section 4).
#pragma once

#include <string>
#include <string_view>

#include "bgp/types.hpp"

namespace anyvip::cmd {

struct Track {
    std::string value;
    Instant since;
    std::string last_event; ///< empty: it has been so from the beginning

    /// `event` is what has changed the value, if it is another one.
    void note(std::string_view now_is, std::string_view event, Instant now) {
        if (value == now_is) {
            return;
        }
        last_event = value.empty() ? std::string_view() : event;
        value = now_is;
        since = now;
    }

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, value);
        archive.field(2, since);
        archive.field(3, last_event);
    }
};

} // namespace anyvip::cmd
