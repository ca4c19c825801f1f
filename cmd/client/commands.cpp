// SPDX-License-Identifier: Apache-2.0
// Every command with its options and what the help says of it (CONTRACT section 4).
#include "cmd/client/commands.hpp"

#include <algorithm>
#include <limits>

namespace anyvip::client {

namespace {

constexpr std::size_t any_number = std::numeric_limits<std::size_t>::max();

constexpr std::array route_options{
    Option{"peer", "PEER", "only what goes to, or comes from, this peer"},
    Option{"received", "", "paths of our VIPs that routers show us, from other nodes too"}};

constexpr std::array drain_options{
    Option{"wait", "", "stay until every flow has ended; exit 4 when the deadline passes first"},
    Option{"deadline",
           "TIME",
           "how long to wait for flows, from the withdraw (default: drain.deadline)"},
    Option{"until", "TIME", "end the drain by itself after this time"},
    Option{"reason", "TEXT", "kept with the drain and shown in status and events"},
    Option{"force", "", "drain even when no other node announces the VIP"},
    Option{"dry-run", "", "say what would happen and whether it would be refused"},
    Option{"peer", "PEER", "take this router out of use instead; its session stays up"}};

constexpr std::array undrain_options{Option{"peer", "PEER", "take this router into use again"}};

constexpr std::array doctor_options{Option{
    "config,c", "FILE", "what to read where no daemon runs (default: /etc/anyvip/anyvip.toml)"}};

constexpr std::array event_options{
    Option{"follow,f", "", "go on with new events as they happen"},
    Option{"since", "TIME", "only events younger than this, as \"5m\""}};

constexpr std::array reload_options{
    Option{"dry-run",
           "",
           "only print what would change and which session would be reset by which key"},
    Option{"upgrade", "", "replace the running program by the one on disk, sessions stay up"}};

constexpr std::array reset_options{
    Option{"soft", "", "keep the session and send all routes again"}};

constexpr std::array all_commands{
    Command{"status", "", 0, 0, "node, VIPs, peers and checks on one screen", {}},
    Command{"vips", "[NAME]", 0, 1, "the VIPs; with NAME all about one", {}},
    Command{"peers", "[NAME]", 0, 1, "the routers; with NAME all about one", {}},
    Command{"checks", "[NAME]", 0, 1, "the health checks; with NAME all about one", {}},
    Command{"routes", "", 0, 0, "what is advertised, with all attributes", route_options},
    Command{"explain", "VIP", 1, 1, "why a VIP is in its state, and what would change it", {}},
    Command{"drain",
            "[VIP...]",
            0,
            any_number,
            "take VIPs, by default all of the node, out of service until undrain",
            drain_options},
    Command{"undrain",
            "[VIP...]",
            0,
            any_number,
            "back into service, once the checks say up",
            undrain_options},
    Command{"doctor",
            "",
            0,
            0,
            "what on this host or the routers makes it fail in silence",
            doctor_options},
    Command{"flows", "[VIP]", 0, 1, "live TCP flows to each VIP", {}},
    Command{"check", "NAME", 1, 1, "probe now and print the result", {}},
    Command{"events", "", 0, 0, "the event log", event_options},
    Command{
        "reload", "", 0, 0, "read the configuration again and print what changes", reload_options},
    Command{"reset", "PEER", 1, 1, "restart a session", reset_options},
    Command{"watch", "", 0, 0, "status, redrawn every second", {}},
    Command{"version", "", 0, 0, "of this command and of the daemon", {}},
    Command{"help", "[COMMAND]", 0, 1, "this text, or that of one command", {}}};

} // namespace

std::span<const Command> commands() {
    return all_commands;
}

const Command* find_command(std::string_view name) {
    const auto found = std::ranges::find(all_commands, name, &Command::name);
    return found == all_commands.end() ? nullptr : &*found;
}

} // namespace anyvip::client
