// SPDX-License-Identifier: Apache-2.0
// [[check]]: the keys that all types share.
#include "cmd/config/convert.hpp"
#include "cmd/config/sections.hpp"
#include "cmd/config/words.hpp"

namespace anyvip::cmd {

namespace {

using std::chrono::milliseconds;

[[nodiscard]] Converted<std::string> to_type(const Value& value) {
    Choice<std::string> choice;
    for (const std::string_view type : check_types) {
        choice.words.emplace_back(type, type);
    }
    return choice(value);
}

[[nodiscard]] Converted<health::Tripwire> to_tripwire(const Value& value) {
    if (const bool* wanted = value.as<bool>()) {
        return *wanted ? health::Tripwire::On : health::Tripwire::Off;
    }
    const std::string* text = value.as<std::string>();
    if (text != nullptr && *text == "connection") {
        return health::Tripwire::Connection;
    }
    return std::unexpected(R"(must be true, false or "connection")");
}

/// `key "url" is for checks of type http, not tcp`, or nothing when no type has the key.
[[nodiscard]] std::string
explain_foreign_key(const std::string& key, std::string_view type, const Host& host) {
    std::string list;
    for (const std::string_view other : check_types) {
        ReadContext scratch{.host = host, .problems = {}, .known_keys = {}};
        const Table empty;
        TableReader reader(scratch, "[[check]]", {}, empty);
        static_cast<void>(read_target(reader, other));
        if (scratch.known_keys.contains("check." + key)) {
            list += (list.empty() ? "" : ", ") + std::string(other);
        }
    }
    return list.empty()
               ? list
               : "key \"" + key + "\" is for checks of type " + list + ", not " + std::string(type);
}

void read_schedule(TableReader& reader, health::Schedule& schedule) {
    constexpr std::uint32_t most_runs = 1000;
    const DurationOf<milliseconds> positive{milliseconds(1)};
    const Integer<std::uint32_t> runs{1, most_runs};
    reader.read("interval", schedule.interval, positive);
    reader.read("timeout", schedule.timeout, positive);
    reader.read("fall", schedule.fall, runs);
    reader.read("rise", schedule.rise, runs);
    reader.read("hard_fail", schedule.hard_fail, to_bool);
    reader.read("hard_fail_grace", schedule.hard_fail_grace, DurationOf<milliseconds>{});
    std::optional<milliseconds> fast;
    reader.read("fast_interval", fast, OrEmpty{positive});
    if (fast > schedule.interval) {
        reader.report("fast_interval", "is longer than interval");
    }
    schedule.fast_interval = fast.value_or(
        std::min(schedule.interval, std::max(milliseconds(50), schedule.interval / 4)));
}

} // namespace

health::CheckConfig read_check(ReadContext& context, const Section& section) {
    health::CheckConfig check;
    TableReader reader(context, section.label, section.where, *section.own, section.inherited);
    if (!section.is_template && reader.require("name", check.name, to_name) &&
        check.name.find('@') != std::string::npos) {
        reader.report("name", "must not contain @, which stands before an address in NAME@ADDRESS");
    }
    read_schedule(reader, check.schedule);
    reader.read("scope", check.scope, scopes);
    reader.read("tripwire", check.tripwire, to_tripwire);
    if (check.tripwire == health::Tripwire::Connection && check.scope == health::Scope::Shared) {
        if (reader.has_own("tripwire")) {
            reader.report("tripwire", R"(must not be "connection" in a check of scope "shared")");
        }
        check.tripwire = health::Tripwire::On;
    }
    read_user(reader, check.user);
    std::string type;
    if (section.is_template) {
        reader.finish();
    } else if (reader.require("type", type, to_type)) {
        check.target = read_target(reader, type);
        if (type != "exec" && !check.user.empty() && reader.has_own("user")) {
            reader.report("user", "is for checks of type exec");
        }
        reader.finish(
            [&](const std::string& key) { return explain_foreign_key(key, type, context.host); });
    }
    return check;
}

} // namespace anyvip::cmd
