// SPDX-License-Identifier: Apache-2.0
// Peer for an upgrade in place: only who hands over, or takes over, looks inside.
#pragma once

#include "bgp/session/peer_impl.hpp"

namespace anyvip::bgp {

template <class Archive> void Peer::transfer(Archive& archive) {
    impl_->transfer(archive);
}

} // namespace anyvip::bgp
