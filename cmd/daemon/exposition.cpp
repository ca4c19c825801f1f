// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/exposition.hpp"

#include <charconv>

namespace anyvip::cmd {
namespace {

std::string number(double value) {
    std::array<char, 32> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
    return {text.data(), end};
}

void append_escaped(std::string& text, std::string_view value) {
    for (const char character : value) {
        if (character == '\\' || character == '"') {
            text += '\\';
            text += character;
        } else if (character == '\n') {
            text += "\\n";
        } else {
            text += character;
        }
    }
}

} // namespace

void Histogram::observe(std::chrono::nanoseconds duration) {
    const double seconds = std::chrono::duration<double>(duration).count();
    for (std::size_t i = 0; i < bounds_s.size(); ++i) {
        if (seconds <= bounds_s.at(i)) {
            ++counts_.at(i);
            break;
        }
    }
    ++count_;
    sum_s_ += seconds;
}

void Exposition::family(std::string_view name, std::string_view type, std::string_view help) {
    ((text_ += "# HELP ").append(name) += " ").append(help) += "\n";
    ((text_ += "# TYPE ").append(name) += " ").append(type) += "\n";
}

void Exposition::line(std::string_view name,
                      Labels labels,
                      std::string_view more,
                      std::string_view value) {
    text_ += name;
    if (labels.size() > 0 || !more.empty()) {
        char separator = '{';
        for (const auto& [key, label] : labels) {
            ((text_ += separator).append(key)) += "=\"";
            append_escaped(text_, label);
            text_ += '"';
            separator = ',';
        }
        if (!more.empty()) {
            (text_ += separator).append(more);
        }
        text_ += '}';
    }
    ((text_ += ' ').append(value)) += '\n';
}

void Exposition::sample(std::string_view name, Labels labels, double value) {
    line(name, labels, {}, number(value));
}

void Exposition::sample(std::string_view name, Labels labels, std::uint64_t value) {
    line(name, labels, {}, std::to_string(value));
}

void Exposition::histogram(std::string_view name, Labels labels, const Histogram& histogram) {
    const std::string base(name);
    std::uint64_t cumulative = 0;
    for (std::size_t i = 0; i < Histogram::bounds_s.size(); ++i) {
        cumulative += histogram.counts().at(i);
        const std::string bound = "le=\"" + number(Histogram::bounds_s.at(i)) + "\"";
        line(base + "_bucket", labels, bound, std::to_string(cumulative));
    }
    line(base + "_bucket", labels, "le=\"+Inf\"", std::to_string(histogram.count()));
    line(base + "_sum", labels, {}, number(histogram.sum_s()));
    line(base + "_count", labels, {}, std::to_string(histogram.count()));
}

} // namespace anyvip::cmd
