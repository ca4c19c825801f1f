// SPDX-License-Identifier: Apache-2.0
// Host names of targets: resolved off the loop, and remembered, so that no probe waits for DNS
// twice and a resolver that fails later takes no service down.
#pragma once

#include <expected>
#include <functional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/address.hpp>

#include "health/result.hpp"

namespace anyvip::health {

/// Not empty, in the order in which they are to be tried.
using Addresses = std::vector<boost::asio::ip::address>;
using Resolved = std::function<void(const std::expected<Addresses, Result>&)>;

/// An IP literal (with %scope) and a remembered name answer within the call; else later from the
/// loop. Names are looked up again after 30 s, and an old answer is used for as long as there is no
/// new one. The cache is the process's and for the loop's thread only.
void resolve(const boost::asio::any_io_executor& executor, const std::string& host, Resolved then);

/// As an answer does.
void remember(const std::string& host, Addresses addresses);

} // namespace anyvip::health
