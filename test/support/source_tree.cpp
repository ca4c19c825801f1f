// SPDX-License-Identifier: Apache-2.0
#include "test/support/source_tree.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

#include <doctest/doctest.h>

std::filesystem::path source_tree() {
    return ANYVIP_SOURCE_TREE;
}

std::string read_source(const std::string& path) {
    std::ifstream file(source_tree() / path, std::ios::binary);
    REQUIRE_MESSAGE(file.is_open(), path);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::vector<std::uint8_t>> read_directory(const std::string& path) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(source_tree() / path)) {
        names.push_back(path + "/" + entry.path().filename().string());
    }
    REQUIRE_MESSAGE(!names.empty(), path);
    std::ranges::sort(names);
    std::vector<std::vector<std::uint8_t>> files;
    for (const std::string& name : names) {
        const std::string text = read_source(name);
        files.emplace_back(text.begin(), text.end());
    }
    return files;
}
