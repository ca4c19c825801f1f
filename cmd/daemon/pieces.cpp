// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/pieces.hpp"

#include <utility>

#include <boost/json/serialize.hpp>

namespace anyvip::cmd {

Pieces& Pieces::text(std::string_view text) {
    return each(1, [text = std::string(text)](std::size_t, std::string& out) { out += text; });
}

Pieces& Pieces::each(std::size_t count, Append append) {
    parts_.push_back({count, std::move(append)});
    return *this;
}

Pieces& Pieces::array(std::size_t count, Make make) {
    return lists(count, [make = std::move(make)](std::size_t index) {
        boost::json::object element = make(index);
        return element.empty() ? boost::json::array() : boost::json::array{std::move(element)};
    });
}

Pieces& Pieces::lists(std::size_t count, MakeSome make) {
    text("[");
    each(count, [make = std::move(make)](std::size_t index, std::string& out) {
        for (const boost::json::value& element : make(index)) {
            if (out.back() != '[') { // an element ends in a brace
                out += ',';
            }
            out += boost::json::serialize(element);
        }
    });
    return text("]");
}

bool Pieces::advance(std::size_t elements) {
    while (part_ < parts_.size()) {
        const Part& part = parts_[part_];
        for (; index_ < part.count; ++index_) {
            if (elements == 0) {
                return false;
            }
            --elements;
            part.append(index_, out_);
        }
        index_ = 0;
        ++part_;
    }
    return true;
}

} // namespace anyvip::cmd
