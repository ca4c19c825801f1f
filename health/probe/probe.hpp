// SPDX-License-Identifier: Apache-2.0
// A probe is one run of a check against the real world. One file a type; this is all that the rest
// of the program sees.
#pragma once

#include <functional>
#include <memory>

#include <boost/asio/io_context.hpp>

#include "health/config.hpp"
#include "health/result.hpp"

namespace anyvip::health {

/// One run. Started by `make_probe`, ended by calling `done` exactly once from the loop (never from
/// within make_probe), at the latest at the timeout. Destroying it cancels without a call; an
/// exec's process group is killed.
class Probe {
  public:
    virtual ~Probe() = default;
    Probe() = default;
    Probe(const Probe&) = delete;
    Probe& operator=(const Probe&) = delete;
};

using ProbeDone = std::function<void(Result)>;

/// Never blocks, never throws: what cannot be started is an Error result like any other.
[[nodiscard]] std::unique_ptr<Probe>
make_probe(boost::asio::io_context& io, const CheckConfig& check, ProbeDone done);

} // namespace anyvip::health
