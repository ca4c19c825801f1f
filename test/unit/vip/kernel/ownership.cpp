// SPDX-License-Identifier: Apache-2.0
// Who owns what, after any order of what we and others do: the kernel's truth is compared with what
// this program believes and with what must never have happened.
#include <array>
#include <map>
#include <memory>
#include <random>
#include <set>

#include "private_network.hpp"
#include "vip/kernel/address_kernel.hpp"

namespace anyvip::vip::kernel {

namespace {

using test::run;

constexpr std::array vips = {"203.0.113.10/32", "203.0.113.11/32", "2001:db8::10/128"};

/// An announcer that wants all VIPs on lo, and puts back what goes.
class Daemon {
  public:
    Daemon(boost::asio::io_context& loop, const AddressOptions& options)
        : kernel_(loop,
                  {.observed = [this](const Observation& seen) { observe(seen); },
                   .turn_ended = [this] { put_back(); },
                   .notice = [](const std::string&) {}},
                  options) {
        REQUIRE_FALSE(kernel_.start());
        put_back();
    }

    void put_back() {
        for (const auto* vip : vips) {
            const Prefix prefix = *Prefix::parse(vip);
            if (!states_[prefix].is_present) {
                (void)kernel_.add(prefix, "lo");
            }
        }
    }

    void remove_all() {
        for (const auto* vip : vips) {
            const auto error = kernel_.remove(*Prefix::parse(vip), "lo");
            const bool is_fine = !error || error == std::errc::operation_not_permitted;
            CHECK(is_fine);
        }
    }

    [[nodiscard]] AddressState state(const Prefix& prefix) { return states_[prefix]; }

  private:
    void observe(const Observation& seen) {
        if (seen.interface == "lo") {
            states_[seen.prefix] = seen.state;
        }
    }

    std::map<Prefix, AddressState> states_;
    AddressKernel kernel_;
};

bool is_on_lo(const std::string& vip) {
    return run("ip -o address show dev lo to " + vip + " | grep -q .");
}

} // namespace

TEST_CASE(
    "whatever the order of kill -9, foreign changes and restarts: VIPs stay, foreign ones too") {
    test::PrivateNetwork network;
    test::TemporaryDirectory directory;
    AddressOptions options;
    options.state_directory = directory.path;
    SUBCASE("with IFA_PROTO") {}
    SUBCASE("with the ledger") {
        options.uses_mark = false;
    }
    std::mt19937 random(7); // NOLINT: the same in every run
    auto daemon = std::make_unique<Daemon>(network.loop, options);
    std::set<std::string> foreign; // put there by others while nobody else had it there
    for (int step = 0; step < 150; ++step) {
        CAPTURE(step);
        const std::string vip = vips[random() % vips.size()];
        switch (random() % 6) {
        case 0:
            (void)run("ip address del " + vip + " dev lo");
            foreign.erase(vip);
            break;
        case 1:
            (void)run("ip address del " + vip + " dev lo");
            if (run("ip address add " + vip + " dev lo")) {
                foreign.insert(vip);
            }
            break;
        case 2:
            (void)run("ip address flush dev lo scope link");
            break;
        case 3: // kill -9
            daemon.reset();
            break;
        case 4:
            (void)run("ip link set lo down && ip link set lo up");
            foreign.erase("2001:db8::10/128"); // IPv6 addresses do not survive that
            break;
        default:
            break;
        }
        if (!daemon) {
            daemon = std::make_unique<Daemon>(network.loop, options);
        }
        for (const std::string text : vips) {
            CAPTURE(text);
            const Prefix prefix = *Prefix::parse(text);
            CHECK(network.run_until([&] { return daemon->state(prefix).is_present; }));
        }
        // Only what is certain: a change may have been put right before it was seen.
        network.loop.restart();
        while (network.loop.poll() != 0) {
        }
        for (const std::string text : vips) {
            CAPTURE(text);
            CHECK(is_on_lo(text));
            CHECK(daemon->state(*Prefix::parse(text)).is_owned == !foreign.contains(text));
        }
    }
    daemon->remove_all();
    for (const std::string text : vips) {
        CAPTURE(text);
        CHECK(is_on_lo(text) == foreign.contains(text));
    }
}

} // namespace anyvip::vip::kernel
