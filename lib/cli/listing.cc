#include "cli/listing.hh"

#include "cli/tool.hh"

namespace ap {

Listing::Listing(bool as_json, std::vector<std::string> headings)
{
    if (!as_json) {
        table_.emplace(std::move(headings));
    }
}

void Listing::add(std::string_view json, std::vector<std::string> cells)
{
    if (table_) {
        table_->add(std::move(cells));
    } else {
        print(std::string(json) + "\n");
    }
}

void Listing::finish() const
{
    if (table_) {
        print(table_->text());
    }
}

} // namespace ap
