// SPDX-License-Identifier: Apache-2.0
// All running checks: instances of the configuration, when each is due, which have changed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <ranges>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cmd/agent/deadlines.hpp"
#include "cmd/agent/outbox.hpp"
#include "health/check.hpp"
#include "health/service.hpp"

namespace anyvip::cmd {

/// One check that runs: NAME, or NAME@ADDRESS for a target with {vip}.
struct CheckInstance {
    std::uint64_t id = 0;
    std::string label;
    health::CheckConfig config; ///< as configured, {vip} not replaced
    std::optional<IpAddress> vip_address;
    health::Check check;
    std::optional<Instant> deadline;

    template <class Archive> void transfer(Archive& archive) { archive.field(1, check); }
};

class CheckSet {
  public:
    using Key = std::pair<std::string, std::optional<IpAddress>>;

    CheckSet(Outbox& outbox, std::uint64_t seed) : outbox_(outbox), seed_(seed) {}

    /// Exactly these run from now on. A check of the same key keeps its state and takes over the
    /// new configuration; `renamed` maps new names to old ones; new ones start `adopting` the
    /// verdict given for them.
    struct Wanted {
        health::CheckConfig config;
        std::optional<IpAddress> vip_address;
        std::optional<health::Verdict> adopt;
    };

    void replace(const std::map<Key, Wanted>& wanted,
                 const std::map<std::string, std::string>& renamed,
                 Instant now);

    void finished(std::uint64_t id, const health::Result& result, Instant now);
    void trigger(std::uint64_t id, Instant now);
    void demand(std::uint64_t id, Instant now);
    /// Touches only those that are due.
    void tick(Instant now);

    [[nodiscard]] std::optional<Instant> next_deadline() const { return deadlines_.next(); }

    /// No run is started any more, those under way are cancelled.
    void stop();

    /// Names whose state, weight or scope has changed since the last call, or which have reached a
    /// verdict of their own; sorted.
    [[nodiscard]] std::set<std::string> take_changed();

    [[nodiscard]] bool all_have_verdict() const { return without_verdict_ == 0; }

    /// The instances of one name; a check without {vip} has one.
    [[nodiscard]] const CheckInstance* find(const Key& key) const;

    [[nodiscard]] const std::map<Key, CheckInstance>& all() const { return instances_; }

    /// What goes over at an upgrade in place. A check that the other side lacks is passed over.
    template <class Archive> void transfer(Archive& archive) {
        archive.table(
            1,
            by_id_ | std::views::values,
            [](const CheckInstance& instance) {
                return Key{instance.config.name, instance.vip_address};
            },
            [&](const Key& key) {
                const auto found = instances_.find(key);
                return found == instances_.end() ? nullptr : &found->second;
            });
        if constexpr (Archive::is_loading) {
            for (auto& [key, instance] : instances_) {
                deadlines_.move(instance.id, instance.deadline, instance.check.next_deadline());
            }
            changed_.clear();
            count_verdicts();
        }
    }

  private:
    void start_new(const Key& key, const Wanted& wanted, std::size_t index, Instant now);
    void reconfigure(CheckInstance& instance, const Wanted& wanted, Instant now);
    /// Starts a run when one is due and arms the next deadline.
    void service(CheckInstance& instance, Instant now);
    void changed(const CheckInstance& instance, health::State before, Instant now);
    void cancel(const CheckInstance& instance);
    void count_verdicts();

    Outbox& outbox_;
    std::uint64_t seed_;
    std::uint64_t last_id_ = 0;
    bool is_stopped_ = false;
    std::size_t without_verdict_ = 0;
    std::map<Key, CheckInstance> instances_;
    std::map<std::uint64_t, CheckInstance*> by_id_;
    Deadlines deadlines_;
    std::set<std::string> changed_;
};

} // namespace anyvip::cmd
