// SPDX-License-Identifier: Apache-2.0
// The bad-input tables: for every factory of the error catalogue at least one message that deserves
// it, with the NOTIFICATION code, subcode and data and the severity that follow.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "support.hpp"

namespace anyvip::bgp::wire::test {

struct BadInput {
    std::string name;
    std::string_view factory; ///< in bgp/wire/errors.hpp
    Octets octets;
    std::string error; ///< as `to_text` writes it
};

using BadInputs = std::vector<BadInput>;

BadInputs header_rows();    ///< streams
BadInputs open_rows();      ///< bodies of OPEN
BadInputs structure_rows(); ///< bodies of UPDATE on an external session, as the next two
BadInputs attribute_rows();
BadInputs multiprotocol_rows();
BadInputs two_octet_rows(); ///< on a session with two-octet AS numbers
BadInputs internal_rows();  ///< on an internal session
BadInputs role_rows();      ///< on a session whose peer is a customer

} // namespace anyvip::bgp::wire::test
