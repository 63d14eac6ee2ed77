#pragma once

#include "cli/table.hh"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// Records printed as JSON lines when --json was given, each as it comes, and otherwise
/// as a table in the end.
class Listing
{
public:
    Listing(bool as_json, std::vector<std::string> headings);

    /// Adds a record; `json` is one object.
    void add(std::string_view json, std::vector<std::string> cells);

    /// Prints the table if there is to be one.
    void finish() const;

private:
    std::optional<Table> table_;
};

} // namespace ap
