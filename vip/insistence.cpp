// SPDX-License-Identifier: Apache-2.0
#include "vip/insistence.hpp"

#include <algorithm>

namespace anyvip::vip {

namespace {

using namespace std::chrono_literals;

constexpr auto contest_window = 10s;
constexpr std::size_t tolerated_removals = 3;
constexpr auto contest_pause = 10s;
// The kernel answers within the same turn; longer silence is a lost answer.
constexpr auto answer_limit = 1s;
// The wanted state is back within a second of the cause's end.
constexpr std::chrono::milliseconds first_pause = 250ms;
constexpr std::chrono::milliseconds longest_pause = 1s;

} // namespace

void Insistence::asked(Instant now) {
    retry_at_.reset();
    answer_by_ = now + answer_limit;
}

void Insistence::succeeded() {
    pause_ = 0ms;
}

void Insistence::refused(Instant now) {
    pause_ = std::clamp(pause_ * 2, first_pause, longest_pause);
    retry_at_ = now + pause_;
}

bool Insistence::robbed(Instant now) {
    removals_.push_back(now);
    while (removals_.front() + contest_window <= now) {
        removals_.pop_front();
    }
    if (removals_.size() <= tolerated_removals) {
        retry_at_.reset();
        return false;
    }
    retry_at_ = now + contest_pause;
    return true;
}

} // namespace anyvip::vip
