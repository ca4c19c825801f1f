// SPDX-License-Identifier: Apache-2.0
#include "vip/kernel/ledger.hpp"

#include <csignal>
#include <fstream>
#include <iterator>

#include <sys/resource.h>

#include "private_network.hpp"

namespace anyvip::vip::kernel {

namespace {

const Prefix vip4 = *Prefix::parse("203.0.113.10");
const Prefix vip6 = *Prefix::parse("2001:db8::/64");
const LedgerScope scope{.boot_id = "a-b", .network_namespace = 7};

std::string text_of(const std::filesystem::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

} // namespace

TEST_CASE("what was added and not removed is read back") {
    const test::TemporaryDirectory directory;
    {
        auto ledger = Ledger::open(directory.path, scope);
        REQUIRE(ledger);
        CHECK_FALSE(ledger->add(1, vip4));
        CHECK_FALSE(ledger->add(1, vip4)); // once is enough
        CHECK_FALSE(ledger->add(1, vip6));
        CHECK_FALSE(ledger->add(2, vip6));
        CHECK_FALSE(ledger->remove(1, vip6));
        CHECK_FALSE(ledger->remove(3, vip6));
    }
    const auto ledger = Ledger::open(directory.path, scope);
    REQUIRE(ledger);
    CHECK(ledger->contains(1, vip4));
    CHECK_FALSE(ledger->contains(2, vip4));
    CHECK_FALSE(ledger->contains(1, vip6));
    CHECK(ledger->contains(2, vip6));
    CHECK(text_of(directory.path / "addresses") ==
          "anyvip-addresses 1 a-b 7\n+ 1 203.0.113.10/32\n+ 2 2001:db8::/64\n");
    CHECK(std::distance(std::filesystem::directory_iterator(directory.path), {}) == 1);
}

TEST_CASE("after a reboot, or in another network namespace, nothing is ours") {
    const test::TemporaryDirectory directory;
    CHECK_FALSE(Ledger::open(directory.path, scope)->add(1, vip4));
    LedgerScope other = scope;
    SUBCASE("boot") {
        other.boot_id = "c-d";
    }
    SUBCASE("namespace") {
        other.network_namespace = 8;
    }
    CHECK_FALSE(Ledger::open(directory.path, other)->contains(1, vip4));
    CHECK_FALSE(Ledger::open(directory.path, scope)->contains(1, vip4)); // and it stays so
}

TEST_CASE("a file torn at any length yields no address that was not written whole") {
    const test::TemporaryDirectory directory;
    const auto path = directory.path / "addresses";
    {
        auto ledger = Ledger::open(directory.path, scope);
        CHECK_FALSE(ledger->add(12, vip4));
        CHECK_FALSE(ledger->add(12, vip6));
    }
    const std::string whole = text_of(path);
    const std::size_t first_line_end = whole.find("/32\n") + 4;
    for (std::size_t length = 0; length < whole.size(); ++length) {
        CAPTURE(length);
        std::ofstream(path, std::ios::trunc) << whole.substr(0, length);
        const auto ledger = Ledger::open(directory.path, scope);
        REQUIRE(ledger);
        CHECK(ledger->contains(12, vip4) == (length >= first_line_end));
        CHECK_FALSE(ledger->contains(12, vip6));
        CHECK_FALSE(ledger->contains(1, vip4));
    }
}

TEST_CASE("lines that make no sense are skipped") {
    const test::TemporaryDirectory directory;
    std::ofstream(directory.path / "addresses")
        << "anyvip-addresses 1 a-b 7\n\n+\n+ x 1.2.3.4/32\n+ 1 1.2.3/32\n? 1 1.2.3.4/32\n"
           "+ 1 203.0.113.10/32\n";
    const auto ledger = Ledger::open(directory.path, scope);
    REQUIRE(ledger);
    CHECK(ledger->contains(1, vip4));
    CHECK_FALSE(ledger->contains(1, *Prefix::parse("1.2.3.4")));
}

TEST_CASE("a directory that cannot be written is an error") {
    const test::TemporaryDirectory directory;
    std::ofstream(directory.path / "file") << "x";
    const auto ledger = Ledger::open(directory.path / "file", scope);
    REQUIRE_FALSE(ledger);
    CHECK(ledger.error() == std::errc::not_a_directory);
}

TEST_CASE("the present scope is known") {
    CHECK(LedgerScope::current().boot_id.size() == 36);
    CHECK(LedgerScope::current().network_namespace != 0);
}

TEST_CASE("what cannot be written is not in it, and what comes after it is not lost") {
    const test::TemporaryDirectory directory;
    auto ledger = Ledger::open(directory.path, scope);
    REQUIRE(ledger);
    struct rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    struct rlimit small = before;
    // Room for the header and half of a line.
    small.rlim_cur = std::filesystem::file_size(directory.path / "addresses") + 5;
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    const auto first = ledger->add(1, vip4);
    const auto again = ledger->add(1, vip4);
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
    std::signal(SIGXFSZ, handler);
    CHECK(first);
    CHECK(again); // not "there already"
    CHECK_FALSE(ledger->contains(1, vip4));
    CHECK_FALSE(ledger->add(1, vip6));
    CHECK_FALSE(ledger->add(1, vip4));
    const auto reread = Ledger::open(directory.path, scope);
    REQUIRE(reread);
    CHECK(reread->entries() == ledger->entries());
    CHECK(reread->entries().size() == 2);
}

TEST_CASE("its file does not grow with what is over") {
    const test::TemporaryDirectory directory;
    auto ledger = Ledger::open(directory.path, scope);
    REQUIRE(ledger);
    for (int i = 0; i < 5000; ++i) {
        CHECK_FALSE(ledger->add(1, vip4));
        CHECK_FALSE(ledger->remove(1, vip4));
    }
    CHECK_FALSE(ledger->add(1, vip6));
    CHECK(std::filesystem::file_size(directory.path / "addresses") < 100'000);
    CHECK(Ledger::open(directory.path, scope)->entries() == ledger->entries());
}

} // namespace anyvip::vip::kernel
