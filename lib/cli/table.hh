#pragma once

#include <string>
#include <vector>

namespace ap {

/// A table for people: columns as wide as their widest cell, two blanks between them,
/// numbers right-aligned (a column is one of numbers if all its cells are), no blanks at
/// line ends, headings in capitals. Widths count UTF-8 characters.
class Table
{
public:
    explicit Table(std::vector<std::string> headings);

    /// Adds a row with as many cells as there are headings.
    void add(std::vector<std::string> cells);

    /// The whole table; the headings alone if it has no rows.
    std::string text() const;

private:
    std::vector<std::vector<std::string>> rows_;
};

} // namespace ap
