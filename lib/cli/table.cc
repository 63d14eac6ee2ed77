#include "cli/table.hh"

#include <algorithm>

namespace ap {

namespace {

size_t width_of(const std::string &cell)
{
    return static_cast<size_t>(std::count_if(cell.begin(), cell.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    }));
}

bool is_number(const std::string &cell)
{
    return cell.find_first_not_of("0123456789.,%kM-$") == std::string::npos;
}

} // namespace

Table::Table(std::vector<std::string> headings)
{
    rows_.push_back(std::move(headings));
}

void Table::add(std::vector<std::string> cells)
{
    cells.resize(rows_.front().size());
    rows_.push_back(std::move(cells));
}

std::string Table::text() const
{
    const size_t columns = rows_.front().size();
    std::vector<size_t> widths(columns, 0);
    std::vector<bool> right(columns, rows_.size() > 1);
    for (size_t r = 0; r < rows_.size(); r++) {
        for (size_t c = 0; c < columns; c++) {
            widths[c] = std::max(widths[c], width_of(rows_[r][c]));
            right[c] = right[c] && (r == 0 || is_number(rows_[r][c]));
        }
    }
    std::string text;
    for (const auto &row : rows_) {
        std::string line;
        for (size_t c = 0; c < columns; c++) {
            const std::string padding(widths[c] - width_of(row[c]), ' ');
            line += c == 0 ? "" : "  ";
            line += right[c] ? padding + row[c] : row[c] + padding;
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    return text;
}

} // namespace ap
