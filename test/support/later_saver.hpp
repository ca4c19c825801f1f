// SPDX-License-Identifier: Apache-2.0
// Writes objects as a later version may: with fields that nobody here knows before, between and
// behind those that are known, in every object.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "cmd/handover/saver.hpp"

namespace anyvip::test {

class LaterSaver final : public cmd::handover::Saver {
  private:
    void between_fields() override {
        if (std::exchange(is_adding_, true)) {
            return;
        }
        std::string text = "unknown";
        std::uint64_t number = ~std::uint64_t{0};
        field(100, text);
        field(255, number);
        is_adding_ = false;
    }

    bool is_adding_ = false;
};

} // namespace anyvip::test
