// SPDX-License-Identifier: Apache-2.0
// Lambdas as one visitor of a variant: `std::visit(Overload{…}, variant)`.
#pragma once

namespace anyvip::cmd {

template <class... Functions> struct Overload : Functions... {
    using Functions::operator()...;
};

} // namespace anyvip::cmd
