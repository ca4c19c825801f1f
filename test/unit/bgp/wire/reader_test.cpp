// SPDX-License-Identifier: Apache-2.0
// The cursor: no read leaves its span, and a failure sticks.
#include "bgp/wire/reader.hpp"

#include <doctest/doctest.h>

#include "support.hpp"

using namespace anyvip::bgp::wire;
using namespace anyvip::bgp::wire::test;

TEST_CASE("Fields are big-endian and consume what they read") {
    const Octets octets = hex("01 0203 04050607 0809");
    Reader reader(octets);
    CHECK(reader.u8() == 0x01);
    CHECK(reader.u16() == 0x0203);
    CHECK(reader.u32() == 0x04050607);
    CHECK(to_hex(reader.rest()) == "0809");
    CHECK(reader.empty());
    CHECK_FALSE(reader.failed());
}

TEST_CASE("A read beyond the end yields zero, ends the reader and is remembered") {
    const Octets octets = hex("01 02 03");
    Reader reader(octets);
    CHECK(reader.u32() == 0);
    CHECK(reader.failed());
    CHECK(reader.empty());
    CHECK(reader.u8() == 0);
    CHECK(reader.take(1).empty());
    CHECK(reader.rest().empty());
    CHECK(reader.failed());
}

TEST_CASE("A child is bounded, and fails with its parent") {
    const Octets octets = hex("01 02 03");
    Reader reader(octets);
    Reader child = reader.sub(2);
    CHECK(child.remaining() == 2);
    CHECK(reader.remaining() == 1);
    child.u32();
    CHECK(child.failed());
    CHECK_FALSE(reader.failed());
    Reader beyond = reader.sub(2);
    CHECK(beyond.failed());
    CHECK(reader.failed());
}
