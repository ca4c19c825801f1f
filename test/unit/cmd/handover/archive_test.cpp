// SPDX-License-Identifier: Apache-2.0
// The archive: what goes in comes out, and nothing else does any harm.
#include "cmd/handover/loader.hpp"
#include "cmd/handover/saver.hpp"

#include <limits>
#include <memory>

#include <doctest/doctest.h>

#include "cmd/handover/envelope.hpp"
#include "test/support/later_saver.hpp"

using namespace anyvip;
using namespace anyvip::cmd::handover;
using namespace std::chrono_literals;

namespace {

using Instant = std::chrono::steady_clock::time_point;

enum class Colour : std::uint8_t { Red, Green, Blue };

struct Inner {
    std::uint32_t number = 0;
    std::optional<std::string> text;

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, number);
        archive.field(2, text);
    }

    friend bool operator==(const Inner&, const Inner&) = default;
};

struct Outer {
    bool flag = false;
    double fraction = 0;
    Colour colour = Colour::Red;
    std::array<Colour, 2> colours{};
    std::vector<Colour> more_colours;
    std::chrono::milliseconds pause{0};
    Instant at;
    IpAddress address;
    Prefix prefix;
    std::vector<Inner> inners;
    std::map<std::string, Inner> named;
    std::set<std::int32_t> numbers;
    std::deque<std::string> lines;
    std::vector<std::uint8_t> octets;
    std::expected<Inner, std::string> result;
    std::shared_ptr<const Inner> one;
    std::shared_ptr<const Inner> same;
    std::map<std::string, std::shared_ptr<const Inner>> pointers;
    std::pair<std::string, std::optional<std::uint8_t>> pair;

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, flag);
        archive.field(2, fraction);
        archive.choice(3, colour, Colour::Blue);
        archive.choices(4, colours, Colour::Blue);
        archive.choices(5, more_colours, Colour::Blue);
        archive.field(6, pause);
        archive.field(7, at);
        archive.field(8, address);
        archive.field(9, prefix);
        archive.field(10, inners);
        archive.field(11, named);
        archive.field(12, numbers);
        archive.field(13, lines);
        archive.field(14, octets);
        archive.field(15, result);
        archive.shared(16, one);
        archive.shared(17, same);
        archive.shared_map(18, pointers);
        archive.field(19, pair);
    }
};

Outer example() {
    Outer outer;
    outer.flag = true;
    outer.fraction = 2.5;
    outer.colour = Colour::Blue;
    outer.colours = {Colour::Green, Colour::Blue};
    outer.more_colours = {Colour::Blue, Colour::Red};
    outer.pause = -3ms;
    outer.at = Instant(77s);
    outer.address = *IpAddress::parse("2001:db8::1");
    outer.prefix = *Prefix::parse("203.0.113.0/24");
    outer.inners = {{1, "one"}, {2, std::nullopt}};
    outer.named = {{"a", {3, ""}}, {"b", {4, "four"}}};
    outer.numbers = {-1, 0, 7};
    outer.lines = {"", "line"};
    outer.octets = {0, 255};
    outer.result = std::unexpected("no");
    outer.one = std::make_shared<const Inner>(Inner{5, "shared"});
    outer.same = outer.one;
    outer.pointers = {{"x", outer.one}, {"y", nullptr}};
    outer.pair = {"key", std::uint8_t{9}};
    return outer;
}

template <class AnySaver = Saver, class T> std::vector<std::uint8_t> saved(T object) {
    AnySaver saver;
    saver.field(1, object);
    return {saver.fields().begin(), saver.fields().end()};
}

template <class T> std::string load(std::span<const std::uint8_t> octets, T& object) {
    Loader loader(octets, Loader::Files::Inherited);
    loader.field(1, object);
    return loader.problem();
}

} // namespace

TEST_CASE("every kind of value survives the way there and back") {
    const Outer before = example();
    Outer after;
    REQUIRE(load(saved(before), after) == "");
    CHECK(after.flag == before.flag);
    CHECK(after.fraction == before.fraction);
    CHECK(after.colour == before.colour);
    CHECK(after.colours == before.colours);
    CHECK(after.more_colours == before.more_colours);
    CHECK(after.pause == before.pause);
    CHECK(after.at == before.at);
    CHECK(after.address == before.address);
    CHECK(after.prefix == before.prefix);
    CHECK(after.inners == before.inners);
    CHECK(after.named == before.named);
    CHECK(after.numbers == before.numbers);
    CHECK(after.lines == before.lines);
    CHECK(after.octets == before.octets);
    REQUIRE_FALSE(after.result.has_value());
    CHECK(after.result.error() == "no");
    REQUIRE(after.one != nullptr);
    CHECK(*after.one == *before.one);
    CHECK(after.same == after.one); // still one object
    CHECK(after.pointers.at("x") == after.one);
    CHECK(after.pointers.at("y") == nullptr);
    CHECK(after.pair == before.pair);
    CHECK(saved(after) == saved(before));
}

TEST_CASE("a state that is cut short anywhere is refused, or leaves defaults at its end") {
    const std::vector<std::uint8_t> octets = saved(example());
    for (std::size_t size = 0; size < octets.size(); ++size) {
        Outer after;
        const std::string problem = load(std::span(octets).first(size), after);
        CHECK((size == 0 || !problem.empty()));
    }
}

TEST_CASE("no flipped bit does harm") {
    std::vector<std::uint8_t> octets = saved(example());
    for (std::size_t bit = 0; bit < octets.size() * 8; ++bit) {
        octets[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
        Outer after;
        std::ignore = load(octets, after);
        CHECK(after.colour <= Colour::Blue);
        CHECK(after.prefix.length_bits() <= 128);
        octets[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    }
}

namespace {

struct OldForm {
    std::uint32_t a = 1;
    std::uint32_t c = 3;

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, a);
        archive.field(3, c);
    }
};

struct NewForm {
    std::uint32_t a = 10;
    std::string b = "default";
    std::uint32_t c = 30;
    std::vector<Inner> d{{1, "default"}};

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, a);
        archive.field(2, b);
        archive.field(3, c);
        archive.field(4, d);
    }
};

/// Another program may ask in another order.
struct OtherOrder {
    std::uint32_t a = 0;
    std::uint32_t c = 0;

    template <class Archive> void transfer(Archive& archive) {
        archive.field(3, c);
        archive.field(1, a);
    }
};

} // namespace

TEST_CASE("a newer program reads an older state: what is missing stays at its default") {
    NewForm form;
    REQUIRE(load(saved(OldForm{}), form) == "");
    CHECK(form.a == 1);
    CHECK(form.b == "default");
    CHECK(form.c == 3);
    CHECK(form.d.size() == 1);
}

TEST_CASE("an older program reads a newer state: what it does not know is skipped") {
    OldForm form;
    REQUIRE(load(saved(NewForm{}), form) == "");
    CHECK(form.a == 10);
    CHECK(form.c == 30);
    OtherOrder other;
    REQUIRE(load(saved(NewForm{}), other) == "");
    CHECK(other.a == 10);
    CHECK(other.c == 30);
}

TEST_CASE("a newer program may have more fields anywhere, in whatever order") {
    const Outer before = example();
    const auto later = saved<test::LaterSaver>(before);
    REQUIRE(later.size() > 3 * saved(before).size());
    Outer after;
    REQUIRE(load(later, after) == "");
    CHECK(saved(after) == saved(before));
    CHECK(after.same == after.one);
}

namespace {

/// Its second field would never be read.
struct TwoOfOneTag {
    std::uint32_t a = 1;
    std::uint32_t b = 2;

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, a);
        archive.field(1, b);
    }
};

} // namespace

TEST_CASE("a tag that an object uses twice is noticed, wherever the object stands") {
    Saver good;
    Outer outer = example();
    good.field(1, outer);
    good.field(2, outer);
    CHECK(good.is_in_order());
    Saver bad;
    std::vector<TwoOfOneTag> within(1);
    bad.field(1, within);
    CHECK_FALSE(bad.is_in_order());
}

namespace {

struct Wide {
    std::uint64_t a = 1;

    template <class Archive> void transfer(Archive& archive) { archive.field(1, a); }
};

struct Narrow {
    std::uint32_t a = 1;

    template <class Archive> void transfer(Archive& archive) { archive.field(1, a); }
};

struct Chosen {
    Colour colour = Colour::Red;

    template <class Archive> void transfer(Archive& archive) {
        archive.choice(1, colour, Colour::Blue);
    }
};

struct PlainOctet {
    std::uint8_t number = 3;

    template <class Archive> void transfer(Archive& archive) { archive.field(1, number); }
};

struct WithFile {
    int file = -1;

    template <class Archive> void transfer(Archive& archive) { archive.descriptor(1, file); }
};

} // namespace

TEST_CASE("a field of another size is refused, not guessed") {
    Wide wide;
    CHECK(load(saved(Narrow{}), wide) == "it is cut short");
}

TEST_CASE("times that would overflow, wrong choices, wrong prefixes and no numbers are refused") {
    std::int64_t far = std::numeric_limits<std::int64_t>::max();
    Instant at;
    CHECK(load(saved(far), at) == "a time out of range");
    std::chrono::seconds seconds{};
    std::int64_t seconds_far = longest_ns / 1'000'000'000 + 1;
    CHECK(load(saved(seconds_far), seconds) == "a time out of range");

    Chosen chosen;
    CHECK(load(saved(PlainOctet{}), chosen) == "an unknown choice");
    CHECK(chosen.colour == Colour::Red);

    Prefix prefix;
    CHECK(load(saved(std::vector<std::uint8_t>{33, 1, 2, 3, 4}), prefix) == "a bad prefix length");
    double fraction = 0;
    CHECK(load(saved(std::numeric_limits<double>::quiet_NaN()), fraction) == "not a number");
}

TEST_CASE("descriptors are named to both sides, and are absent in a rehearsal") {
    Saver saver;
    WithFile seven{7};
    WithFile none{-1};
    saver.field(1, seven);
    saver.field(2, none);
    CHECK(saver.descriptors() == std::vector{7});
    WithFile file;
    Loader loader(saver.fields(), Loader::Files::Inherited);
    loader.field(1, file);
    CHECK(file.file == 7);
    CHECK(loader.descriptors() == std::vector{7});
    Loader rehearsal(saver.fields(), Loader::Files::Absent);
    rehearsal.field(1, file);
    CHECK(file.file == -1);
    CHECK(rehearsal.descriptors().empty());
}

TEST_CASE("the envelope: another version, damage and other files are told apart") {
    const std::vector<std::uint8_t> fields{1, 2, 3};
    std::vector<std::uint8_t> file = seal(fields);
    REQUIRE(cmd::handover::open(file).has_value());
    CHECK(cmd::handover::open(file)->size() == 3);
    // CRC-32 of "123456789", the check value of ISO 3309.
    const std::string digits = "123456789";
    CHECK(crc32(std::vector<std::uint8_t>(digits.begin(), digits.end())) == 0xCBF43926U);

    for (std::size_t size = 0; size < file.size(); ++size) {
        CHECK_FALSE(cmd::handover::open(std::span(file).first(size)).has_value());
    }
    for (std::size_t bit = 0; bit < file.size() * 8; ++bit) {
        file[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
        CHECK_FALSE(cmd::handover::open(file).has_value());
        file[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    }
    file[8] = 2;
    CHECK(cmd::handover::open(file).error() ==
          "the state has format version 2, this program understands 1");
    file[8] = 1;
    file.back() ^= 1U;
    CHECK(cmd::handover::open(file).error() == "the state is damaged: its checksum is wrong");
    CHECK(cmd::handover::open(fields).error() == "this is no state of anyvipd");
}
