// SPDX-License-Identifier: Apache-2.0
// The agent for an upgrade in place: what of it is state, and what a new one has to make of that.
#include "cmd/handover/loader.hpp"
#include "cmd/handover/saver.hpp"

#include <algorithm>

#include "bgp/session/peer_transfer.hpp"
#include "cmd/agent/impl.hpp"

namespace anyvip::cmd {

template <class Archive> void Agent::Impl::transfer(Archive& archive) {
    archive.field(1, peers);
    archive.field(2, checks);
    archive.field(3, addresses);
    archive.table(
        4,
        order,
        [](const VipRecord& record) { return record.config.name; },
        [&](const std::string& name) {
            VipRecord* record = find_vip(name);
            archive.require(record != nullptr, "a VIP that the configuration lacks");
            return record;
        });
    archive.field(5, drains);
    archive.field(6, effective);
    archive.field(7, runs);
    archive.field(8, next_expiry);
    archive.field(9, file_holds);
    archive.field(10, file_retry_at);
    archive.field(11, file_refusal);
    archive.field(12, end_of_rib_at);
    archive.field(13, end_of_rib_allowed);
    archive.field(14, file_exists);
    archive.field(15, file_problem);
    archive.field(16, forced_peers);
    archive.field(17, peer_refusals);
    archive.field(18, drain_file_refused);
    archive.field(19, drain_file_hidden);
    default_routes.transfer(archive, peers); // fields 20 to 22
    archive.field(23, told_ending);
}

void Agent::transfer(handover::Saver& saver) {
    impl_->transfer(saver);
}

void Agent::transfer(handover::Loader& loader) {
    impl_->transfer(loader);
    // What the constructor asked for was for a start from nothing.
    impl_->outbox = {};
    for (VipRecord* record : impl_->order) {
        record->decision.routes.resize(record->addresses.size(), vip::RouteMode::None);
        if (record->traffic.withdrawn_at && !record->traffic.acknowledged_at) {
            impl_->unacknowledged.insert(record->id);
        }
    }
    impl_->mark_all();
}

std::vector<vip::DefaultRouteKey> Agent::default_routes_present() const {
    return impl_->default_routes.present();
}

std::vector<std::pair<Prefix, std::string>> Agent::addresses_present() const {
    return impl_->addresses.present();
}

} // namespace anyvip::cmd
