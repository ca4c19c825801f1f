// SPDX-License-Identifier: Apache-2.0
// A long text made a few elements at a time, so that nobody's question keeps the loop from its
// work.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace anyvip::cmd {

class Pieces {
  public:
    /// Appends what element `index` has to say.
    using Append = std::function<void(std::size_t index, std::string& out)>;
    /// The element as JSON; empty: none.
    using Make = std::function<boost::json::object(std::size_t index)>;
    using MakeSome = std::function<boost::json::array(std::size_t index)>;

    Pieces& text(std::string_view text);
    Pieces& each(std::size_t count, Append append);
    /// A JSON array of these elements.
    Pieces& array(std::size_t count, Make make);
    /// The same where each index makes any number of elements.
    Pieces& lists(std::size_t count, MakeSome make);

    /// Writes up to `elements` more. True: complete.
    [[nodiscard]] bool advance(std::size_t elements);

    [[nodiscard]] std::string take() { return std::move(out_); }

  private:
    struct Part {
        std::size_t count = 0;
        Append append;
    };

    std::vector<Part> parts_;
    std::size_t part_ = 0;
    std::size_t index_ = 0;
    std::string out_;
};

} // namespace anyvip::cmd
