// SPDX-License-Identifier: Apache-2.0
// Files of the tree that tests compare with, wherever the program runs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

/// The top of the source tree.
[[nodiscard]] std::filesystem::path source_tree();

/// A whole file, its path below the top. A file that cannot be read fails the test.
[[nodiscard]] std::string read_source(const std::string& path);

/// Every file of a directory below the top; an empty or missing one fails the test.
[[nodiscard]] std::vector<std::vector<std::uint8_t>> read_directory(const std::string& path);
