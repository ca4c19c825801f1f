// SPDX-License-Identifier: Apache-2.0
// Text of AS numbers and BGP identifiers.
#include "bgp/types.hpp"

namespace anyvip::bgp {

std::string to_string(Asn asn) {
    return std::to_string(asn.value);
}

std::string to_string(RouterId id) {
    return anyvip::to_string(IpAddress::v4(id.value));
}

} // namespace anyvip::bgp
