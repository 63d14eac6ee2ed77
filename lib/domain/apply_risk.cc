#include "domain/apply_risk.hh"

#include "base/text.hh"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace ap {

namespace {

constexpr std::array<std::pair<Risk, std::string_view>, 4> risk_names{{
    {Risk::None, "none"},
    {Risk::Low, "low"},
    {Risk::Medium, "medium"},
    {Risk::High, "high"},
}};

constexpr int64_t medium_lines = 100;
constexpr int64_t high_lines = 500;
constexpr size_t medium_files = 5;
constexpr size_t high_files = 20;
constexpr int64_t high_deletions = 3;
/// A file that loses half of so many lines or more is as good as rewritten.
constexpr int64_t rewritten_lines = 50;

constexpr std::string_view document_endings[] = {".md", ".rst", ".txt", ".adoc"};
constexpr std::string_view script_endings[] = {".sh",  ".bash", ".zsh",
                                               ".ps1", ".bat",  ".cmd"};
/// What decides what is built and which foreign code comes with it.
constexpr std::string_view build_names[] = {
    "Makefile",         "makefile",      "GNUmakefile",    "CMakeLists.txt",
    "meson.build",      "configure.ac",  "configure",      "BUILD",
    "BUILD.bazel",      "WORKSPACE",     "Dockerfile",     "Containerfile",
    "package.json",     "setup.py",      "setup.cfg",      "pyproject.toml",
    "requirements.txt", "Cargo.toml",    "Cargo.lock",     "build.rs",
    "go.mod",           "go.sum",        "pom.xml",        "build.gradle",
    "Gemfile",          "composer.json", "conftest.py",    "package-lock.json",
    "yarn.lock",        "tox.ini",       "compose.yaml",   "docker-compose.yml",
    "uv.lock",          "poetry.lock",   "pnpm-lock.yaml", "build.gradle.kts",
};

std::string_view base_name(std::string_view path)
{
    return path.substr(path.rfind('/') + 1);
}

template <typename List>
bool ends_with_any(std::string_view text, const List &endings)
{
    return std::any_of(std::begin(endings), std::end(endings),
                       [&](std::string_view ending) { return text.ends_with(ending); });
}

bool is_build_file(std::string_view path)
{
    const std::string_view name = base_name(path);
    return std::find(std::begin(build_names), std::end(build_names), name) !=
               std::end(build_names) ||
           name.ends_with(".cmake") || name.ends_with(".mk");
}

bool is_document(std::string_view path)
{
    return !is_build_file(path) && ends_with_any(path, document_endings);
}

bool is_executable(const std::optional<FileState> &state)
{
    return state && (state->mode & 0111) != 0;
}

bool is_script(const TreeChange &change)
{
    return ends_with_any(change.path, script_endings) ||
           (change.after && change.after->bytes.starts_with("#!"));
}

class Weighing
{
public:
    explicit Weighing(const std::vector<WeighedFile> &files)
    {
        for (const WeighedFile &file : files) {
            weigh(file);
        }
        rule(lines_ > high_lines     ? Risk::High
             : lines_ > medium_lines ? Risk::Medium
                                     : Risk::Low,
             "changes " + std::to_string(lines_) + " lines");
        rule(files.size() > high_files     ? Risk::High
             : files.size() > medium_files ? Risk::Medium
                                           : Risk::Low,
             "changes " + std::to_string(files.size()) + " files");
        rule(deletions_ > high_deletions ? Risk::High
             : deletions_ > 0            ? Risk::Medium
                                         : Risk::Low,
             "removes " + std::to_string(deletions_) + " files");
        const bool only_documents =
            std::all_of(files.begin(), files.end(), [](const WeighedFile &file) {
                return is_document(file.change->path);
            });
        if (only_documents && verdict_.risk == Risk::Low) {
            verdict_.risk = Risk::None;
        }
    }

    RiskVerdict verdict() { return std::move(verdict_); }

private:
    void rule(Risk risk, const std::string &reason)
    {
        verdict_.risk = std::max(verdict_.risk, risk);
        if (risk > Risk::Low) {
            verdict_.reasons.push_back(reason);
        }
    }

    void weigh(const WeighedFile &file)
    {
        const TreeChange &change = *file.change;
        lines_ += file.lines.added + file.lines.removed;
        deletions_ += !change.after;
        const std::string shown = "'" + printable(change.path) + "'";
        if (is_executable(change.after) && !is_executable(change.before)) {
            rule(Risk::High, "makes " + shown + " executable");
        }
        if (is_build_file(change.path)) {
            rule(Risk::Medium, "changes the build file " + shown);
        } else if (is_script(change)) {
            rule(Risk::Medium, "changes the script " + shown);
        }
        if (!change.before || !change.after) {
            return;
        }
        const auto before = static_cast<int64_t>(lines_of(change.before->bytes).size());
        if (before >= rewritten_lines && file.lines.removed * 2 >= before) {
            rule(Risk::Medium, "removes half of " + shown);
        }
    }

    RiskVerdict verdict_{Risk::Low, {}};
    int64_t lines_ = 0;
    int64_t deletions_ = 0;
};

} // namespace

std::string_view risk_name(Risk risk)
{
    return std::find_if(risk_names.begin(), risk_names.end(),
                        [&](const auto &entry) { return entry.first == risk; })
        ->second;
}

std::optional<Risk> risk_from(std::string_view name)
{
    const auto found =
        std::find_if(risk_names.begin(), risk_names.end(),
                     [&](const auto &entry) { return entry.second == name; });
    return found == risk_names.end() ? std::nullopt : std::optional(found->first);
}

RiskVerdict weigh_risk(const std::vector<WeighedFile> &files)
{
    return Weighing(files).verdict();
}

} // namespace ap
