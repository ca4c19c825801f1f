// SPDX-License-Identifier: Apache-2.0
#include "health/result.hpp"

namespace anyvip::health {

std::string_view to_string(Outcome outcome) {
    switch (outcome) {
    case Outcome::Pass:
        return "pass";
    case Outcome::Fail:
        return "fail";
    case Outcome::Timeout:
        return "timeout";
    case Outcome::Error:
        return "error";
    }
    return "error";
}

} // namespace anyvip::health
