// SPDX-License-Identifier: Apache-2.0
// Octets as objects, whatever they are.
#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <ratio>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "bgp/ip.hpp"
#include "cmd/handover/archive.hpp"

namespace anyvip::cmd::handover {

/// Reads what a Saver wrote. Sticky: after the first problem nothing more is read, and `problem`
/// says what it was. No input leads to undefined behaviour, nor to more memory than a small
/// multiple of its size.
class Loader {
  public:
    static constexpr bool is_loading = true;

    /// A rehearsal has the numbers of files, but not the files.
    enum class Files : std::uint8_t { Absent, Inherited };

    /// `octets` outlive the loader.
    Loader(std::span<const std::uint8_t> octets, Files files)
        : all_(octets), rest_(octets), files_(files) {}

    template <class T> void field(std::uint8_t tag, T& value) {
        if (const auto found = find(tag)) {
            within(*found, [&] { get(value); });
        }
    }

    template <class Enum> void choice(std::uint8_t tag, Enum& value, Enum last) {
        auto number = std::to_underlying(value);
        field(tag, number);
        require(number <= std::to_underlying(last), "an unknown choice");
        if (!is_bad()) {
            value = static_cast<Enum>(number);
        }
    }

    template <class Enum> void choice(std::uint8_t tag, std::optional<Enum>& value, Enum last) {
        auto number = value ? std::optional(std::to_underlying(*value)) : std::nullopt;
        field(tag, number);
        require(!number || *number <= std::to_underlying(last), "an unknown choice");
        if (!is_bad()) {
            value = number ? std::optional(static_cast<Enum>(*number)) : std::nullopt;
        }
    }

    template <class Enum, std::size_t Size>
    void choices(std::uint8_t tag, std::array<Enum, Size>& values, Enum last) {
        std::array<std::underlying_type_t<Enum>, Size> numbers{};
        for (std::size_t i = 0; i < Size; ++i) {
            numbers.at(i) = std::to_underlying(values.at(i));
        }
        field(tag, numbers);
        for (std::size_t i = 0; i < Size; ++i) {
            require(numbers.at(i) <= std::to_underlying(last), "an unknown choice");
            if (!is_bad()) {
                values.at(i) = static_cast<Enum>(numbers.at(i));
            }
        }
    }

    template <class Enum> void choices(std::uint8_t tag, std::vector<Enum>& values, Enum last) {
        std::vector<std::uint8_t> numbers;
        field(tag, numbers);
        values.clear();
        for (const std::uint8_t number : numbers) {
            require(number <= std::to_underlying(last), "an unknown choice");
            values.push_back(is_bad() ? Enum{} : static_cast<Enum>(number));
        }
    }

    template <class Range, class KeyOf, class Find>
    void table(std::uint8_t tag, const Range& /*objects*/, KeyOf /*key_of*/, Find find_object) {
        const auto found = find(tag);
        if (!found) {
            return;
        }
        within(*found, [&] {
            while (!rest_.empty() && !is_bad()) {
                within(take_element(), [&] {
                    using Key = std::remove_cvref_t<
                        std::invoke_result_t<KeyOf,
                                             decltype(**std::declval<const Range&>().begin())>>;
                    Key key{};
                    within(take_element(), [&] { get(key); });
                    if (auto* object = is_bad() ? nullptr : find_object(key)) {
                        within(rest_, [&] { get(*object); });
                    }
                });
            }
        });
    }

    template <class T> void shared(std::uint8_t tag, std::shared_ptr<const T>& pointer) {
        if (const auto found = find(tag)) {
            within(*found, [&] { get_shared(pointer); });
        }
    }

    template <class Key, class T>
    void shared_map(std::uint8_t tag, std::map<Key, std::shared_ptr<const T>>& map) {
        const auto found = find(tag);
        if (!found) {
            return;
        }
        within(*found, [&] {
            map.clear();
            while (!rest_.empty() && !is_bad()) {
                within(take_element(), [&] {
                    Key key{};
                    std::shared_ptr<const T> pointer;
                    within(take_element(), [&] { get(key); });
                    get_shared(pointer);
                    if (!is_bad()) {
                        map.insert_or_assign(map.end(), std::move(key), std::move(pointer));
                    }
                });
            }
        });
    }

    void descriptor(std::uint8_t tag, int& number) {
        field(tag, number);
        require(number >= -1 && number < 1 << 30, "a bad file number");
        if (files_ == Files::Absent || is_bad()) {
            number = -1;
        } else if (number >= 0) {
            descriptors_.push_back(number);
        }
    }

    void require(bool holds, std::string_view what) {
        if (!holds && problem_.empty()) {
            problem_ = what;
        }
    }

    /// Those that were read so far.
    [[nodiscard]] const std::vector<int>& descriptors() const { return descriptors_; }

    [[nodiscard]] bool is_bad() const { return !problem_.empty(); }

    /// One line; empty: all is well.
    [[nodiscard]] const std::string& problem() const { return problem_; }

  private:
    using Octets = std::span<const std::uint8_t>;

    /// Everything inside reads from `part` only.
    template <class Read> void within(Octets part, Read read) {
        const Octets all = std::exchange(all_, part);
        const Octets rest = std::exchange(rest_, part);
        const std::size_t depth = depth_;
        require(++depth_ < 64, "nested too deeply");
        if (!is_bad()) {
            read();
        }
        depth_ = depth;
        all_ = all;
        rest_ = rest;
    }

    /// The next field of this tag. Fields come in the order in which they are asked for, unless
    /// another version wrote them: then all are looked at.
    [[nodiscard]] std::optional<Octets> find(std::uint8_t tag) {
        for (int round = 0; round < 2 && !is_bad(); ++round) {
            while (!rest_.empty() && !is_bad()) {
                const std::uint8_t here = rest_.front();
                const Octets before = rest_;
                rest_ = rest_.subspan(1);
                const Octets value = take_element();
                if (here == tag && !is_bad()) {
                    return value;
                }
                if (round == 0 && here > tag) {
                    rest_ = before; // written in ascending order: it is not there
                    break;
                }
            }
            if (round == 0) {
                rest_ = all_;
            }
        }
        return std::nullopt;
    }

    [[nodiscard]] Octets take(std::size_t octets) {
        if (octets > rest_.size()) {
            require(false, "it is cut short");
            return {};
        }
        const Octets taken = rest_.first(octets);
        rest_ = rest_.subspan(octets);
        return taken;
    }

    [[nodiscard]] Octets take_element() {
        std::size_t length = 0;
        const Octets octets = take(4);
        for (std::size_t i = 0; i < octets.size(); ++i) {
            length |= std::size_t{octets[i]} << (8 * i);
        }
        return take(length);
    }

    template <Number T> void get(T& value) {
        std::array<std::uint8_t, sizeof(T)> octets{};
        const Octets taken = take(sizeof(T));
        if (taken.size() != sizeof(T)) {
            return;
        }
        for (std::size_t i = 0; i < sizeof(T); ++i) {
            octets.at(i) = taken[i];
        }
        if constexpr (std::same_as<T, bool>) {
            require(octets[0] <= 1, "neither true nor false");
            value = octets[0] == 1;
        } else {
            value = std::bit_cast<T>(octets);
            if constexpr (std::floating_point<T>) {
                require(value == value && value - value == T{}, "not a number");
                value = is_bad() ? T{} : value;
            }
        }
    }

    void get(std::string& text) {
        text.assign(rest_.begin(), rest_.end());
        rest_ = {};
    }

    void get(std::vector<std::uint8_t>& octets) {
        octets.assign(rest_.begin(), rest_.end());
        rest_ = {};
    }

    void get(IpAddress& address) {
        require(rest_.size() == 4 || rest_.size() == 16, "a bad address");
        if (!is_bad()) {
            address = IpAddress::from_octets(rest_);
            rest_ = {};
        }
    }

    void get(Prefix& prefix) {
        std::uint8_t length = 0;
        IpAddress address;
        get(length);
        get(address);
        require(length <= host_length(address.family()), "a bad prefix length");
        prefix = Prefix::of(address, length);
    }

    template <class Rep, class Period> void get(std::chrono::duration<Rep, Period>& value) {
        std::int64_t count = 0;
        get(count);
        // How many of these make up the longest time.
        using Ratio = std::ratio_divide<Period, std::nano>;
        constexpr std::int64_t limit = longest_ns / std::intmax_t{Ratio::num} * Ratio::den;
        const bool fits = count <= limit && count >= -limit && std::in_range<Rep>(count);
        require(fits, "a time out of range");
        value = std::chrono::duration<Rep, Period>(fits ? static_cast<Rep>(count) : Rep{});
    }

    template <class Clock, class Length> void get(std::chrono::time_point<Clock, Length>& value) {
        Length since{};
        get(since);
        value = std::chrono::time_point<Clock, Length>(since);
    }

    template <class T> void get(std::optional<T>& value) {
        bool is_there = false;
        get(is_there);
        if (!is_there) {
            value.reset();
        } else {
            get(value.emplace(T{}));
        }
    }

    template <class A, class B> void get(std::pair<A, B>& pair) {
        within(take_element(), [&] { get(pair.first); });
        get(pair.second);
    }

    template <class T, class Insert> void get_all(Insert insert) {
        while (!rest_.empty() && !is_bad()) {
            within(take_element(), [&] {
                T element{};
                get(element);
                if (!is_bad()) {
                    insert(std::move(element));
                }
            });
        }
    }

    template <class T, std::size_t Size> void get(std::array<T, Size>& array) {
        for (T& element : array) {
            // An array that has grown since is read as far as it goes.
            if (rest_.empty()) {
                return;
            }
            within(take_element(), [&] { get(element); });
        }
    }

    template <class T> void get(std::vector<T>& vector) {
        vector.clear();
        get_all<T>([&](T&& element) { vector.push_back(std::move(element)); });
    }

    template <class T> void get(std::deque<T>& deque) {
        deque.clear();
        get_all<T>([&](T&& element) { deque.push_back(std::move(element)); });
    }

    template <class T> void get(std::set<T>& set) {
        set.clear();
        get_all<T>([&](T&& element) { set.insert(set.end(), std::move(element)); });
    }

    template <class Key, class T, class Less> void get(std::map<Key, T, Less>& map) {
        map.clear();
        get_all<std::pair<Key, T>>([&](std::pair<Key, T>&& element) {
            map.insert_or_assign(map.end(), std::move(element.first), std::move(element.second));
        });
    }

    template <class T, class E> void get(std::expected<T, E>& value) {
        bool has_value = false;
        get(has_value);
        if (has_value) {
            T good{};
            get(good);
            value = std::move(good);
        } else {
            E error{};
            get(error);
            value = std::unexpected(std::move(error));
        }
    }

    template <class T> void get_shared(std::shared_ptr<const T>& pointer) {
        static constexpr char type{}; // its address tells the types apart
        std::uint32_t number = 0;
        get(number);
        if (is_bad()) {
            return;
        }
        if (number < shared_.size()) {
            const auto& [known_type, known] = shared_[number];
            require(known == nullptr || known_type == &type, "a shared value of another type");
            pointer = is_bad() ? nullptr : std::static_pointer_cast<const T>(known);
            return;
        }
        require(number == shared_.size(), "a shared value that is not there");
        bool is_there = false;
        get(is_there);
        std::shared_ptr<T> made;
        if (is_there && !is_bad()) {
            made = std::make_shared<T>();
        }
        shared_.emplace_back(&type, made); // before what may be shared within
        if (made) {
            get(*made);
        }
        pointer = std::move(made);
    }

    template <class T>
        requires requires(T& object, Loader& loader) { object.transfer(loader); }
    void get(T& object) {
        within(rest_, [&] { object.transfer(*this); });
        rest_ = {};
    }

    Octets all_;  ///< of the object being read
    Octets rest_; ///< of it
    Files files_;
    std::size_t depth_ = 0;
    std::string problem_;
    std::vector<std::pair<const void*, std::shared_ptr<const void>>> shared_;
    std::vector<int> descriptors_;
};

} // namespace anyvip::cmd::handover
