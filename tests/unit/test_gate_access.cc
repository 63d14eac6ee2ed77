#include "check.hh"
#include "support.hh"

#include "domain/gate_access.hh"

using namespace ap;

namespace {

class Fixture
{
public:
    Fixture() { unset(); }
    ~Fixture() { unset(); }

    std::optional<std::string> url() const
    {
        const auto gate = find();
        return gate ? std::optional(gate->url) : std::nullopt;
    }
    std::optional<GateAccess> find() const
    {
        return find_gate({directory_.file("autopack.db"), directory_.path(), ""});
    }
    std::string ca_file() const { return find().value().ca_file; }
    void set(const char *value) { setenv("AUTOPACK_GATE_URL", value, 1); }
    void write(std::string_view text)
    {
        replace_file(directory_.file("gate.json"), text);
    }

private:
    static void unset()
    {
        unsetenv("AUTOPACK_GATE_URL");
        unsetenv("AUTOPACK_GATE_CA_FILE");
    }

    check::TemporaryDirectory directory_;
};

void there_is_none_unless_it_is_configured_or_runs()
{
    Fixture fixture;
    CHECK(!fixture.url().has_value());
    fixture.write(R"({"url": "http://127.0.0.1:4141", "pid": 1})");
    CHECK_EQUAL(fixture.url().value_or("none"), "http://127.0.0.1:4141");
}

void the_variable_goes_before_the_file()
{
    Fixture fixture;
    fixture.write(R"({"url": "http://127.0.0.1:4141"})");
    fixture.set("http://127.0.0.1:5151/");
    CHECK_EQUAL(fixture.url().value_or("none"), "http://127.0.0.1:5151");
}

void an_empty_variable_means_no_gateway()
{
    Fixture fixture;
    fixture.write(R"({"url": "http://127.0.0.1:4141"})");
    fixture.set("");
    CHECK(!fixture.url().has_value());
}

void tells_which_certificates_to_trust()
{
    Fixture fixture;
    fixture.write(R"({"url": "https://gate:4141", "ca_file": "/etc/gate/ca.pem"})");
    CHECK_EQUAL(fixture.ca_file(), "/etc/gate/ca.pem");
    setenv("AUTOPACK_GATE_CA_FILE", "/other/ca.pem", 1);
    CHECK_EQUAL(fixture.ca_file(), "/etc/gate/ca.pem");
    fixture.set("https://other:4141");
    CHECK_EQUAL(fixture.ca_file(), "/other/ca.pem");
}

void what_is_no_url_is_refused_by_name()
{
    Fixture fixture;
    const auto names = [](const char *source) {
        return [source](const Error &error) {
            CHECK(error.status() == ExitStatus::Config);
            CHECK(std::string_view(error.what()).find(source) != std::string_view::npos);
        };
    };
    fixture.set("localhost:4141");
    CHECK_THROWS(fixture.url(), Error, names("AUTOPACK_GATE_URL: expected a URL"));
    fixture.set("http://");
    CHECK_THROWS(fixture.url(), Error, names("AUTOPACK_GATE_URL: expected a URL"));
    unsetenv("AUTOPACK_GATE_URL");
    fixture.write("{}");
    CHECK_THROWS(fixture.url(), Error, names("gate.json: expected a URL"));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(there_is_none_unless_it_is_configured_or_runs),
        TEST(the_variable_goes_before_the_file),
        TEST(an_empty_variable_means_no_gateway),
        TEST(tells_which_certificates_to_trust),
        TEST(what_is_no_url_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
