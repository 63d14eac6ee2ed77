// The dashboard as people use it: node dashboard.js [DIRECTORY-FOR-SCREENSHOTS]
// In an empty working directory, with the tools in PATH.
"use strict";

const assert = require("node:assert");
const { execFileSync, spawn } = require("node:child_process");
const fs = require("node:fs");
const { chromium } = require("playwright-core");

const axe = require.resolve("axe-core/axe.min.js");
const screenshots = process.argv[2];
const run = (tool, ...args) => execFileSync(tool, args, { encoding: "utf8" });
const sql = (text) => run("sqlite3", "autopack.db", text);

const plan = {
    run_id: "night",
    goal: "port the importer to the new API, with tests",
    token_cap: 200000,
    phases: [
        { id: "survey", command: "echo 14 call sites" },
        { id: "port", depends_on: ["survey"], command: "echo first line; while :; do sleep 0.1; [ ! -e go ] || { echo second line; rm go; }; done" },
    ],
};

async function until(condition, what) {
    const deadline = Date.now() + 15000;
    while (!(await condition())) {
        assert(Date.now() < deadline, `in 15 seconds not: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
}

function start(tool, ...args) {
    const child = spawn(tool, args, { stdio: "ignore" });
    process.on("exit", () => child.kill("SIGKILL"));
    return child;
}

const tests = {
    async "is accessible in light and dark, and fits a phone"(browser, url) {
        for (const path of ["/dashboard", "/dashboard/runs/night", "/dashboard/runs/night/phases/port", "/dashboard/approvals/1", "/login"]) {
            for (const scheme of ["light", "dark"]) {
                // axe is put into the page, which its own rules would forbid.
                const context = await browser.newContext({ colorScheme: scheme, bypassCSP: true, viewport: { width: 390, height: 844 } });
                const page = await context.newPage();
                await page.goto(url + path);
                await page.addScriptTag({ path: axe });
                const { violations } = await page.evaluate(() => window.axe.run());
                assert.deepStrictEqual(violations.map((one) => `${path} ${scheme}: ${one.id}: ${one.nodes[0].html}`), []);
                const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
                assert.strictEqual(overflow, 0, `${path} is wider than a phone`);
                await context.close();
            }
        }
    },

    async "shows a change of state within 200 ms"(browser, url) {
        const page = await browser.newPage();
        const complaints = [];
        page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
        page.on("pageerror", (error) => complaints.push(error.message));
        const events = page.waitForResponse((response) => response.url().includes("/api/events/stream"));
        await page.goto(`${url}/dashboard`);
        await page.waitForFunction(() => document.getElementById("connection").textContent === "– live");
        assert.strictEqual((await events).headers()["content-encoding"], "gzip");
        const waits = [];
        for (let i = 0; i < 15; i++) {
            await page.waitForTimeout(400); // what came before is over
            const state = i % 2 === 0 ? "forced_open" : "closed";
            const seen = page.waitForFunction((text) => document.querySelector("#breakers tbody")?.textContent.includes(text) && Date.now(), state, { polling: 5 });
            sql(`UPDATE circuit_breakers SET state = '${state}' WHERE name = 'api'`);
            const committed = Date.now();
            waits.push((await (await seen).jsonValue()) - committed);
        }
        waits.sort((one, other) => one - other);
        console.log(`# from the commit to the screen, ms: median ${waits[7]}, longest ${waits[14]}`);
        assert(waits[13] <= 200, `waits ${waits}`);
        assert.deepStrictEqual(complaints, []);
        await page.close();
    },

    async "answers a question in the inbox, after it has asked back"(browser, url) {
        const page = await browser.newPage();
        await page.goto(`${url}/dashboard`);
        await page.waitForFunction(() => document.getElementById("connection").textContent === "– live");
        const id = run("ap-approve", "ask", "--run", "night", "--phase", "port", "-s", "force-push?", "--no-wait").trim();
        await page.waitForFunction(() => document.getElementById("approvals").textContent.includes("force-push?"));
        const asked = [];
        page.on("dialog", async (dialog) => {
            asked.push(dialog.message());
            await (asked.length === 1 ? dialog.dismiss() : dialog.accept());
        });
        const state = () => JSON.parse(run("ap-approve", "show", id, "--json")).state;
        const reject = page.getByRole("row", { name: "force-push?" }).getByRole("button", { name: "Reject" });
        await reject.click();
        await until(() => asked.length === 1, "it asks");
        assert.strictEqual(state(), "PENDING");
        await reject.click();
        await until(() => state() === "REJECTED", "it rejects");
        assert.match(asked[1], /Reject approval \d+: force-push\?/);
        await page.waitForFunction(() => !document.getElementById("approvals").textContent.includes("force-push?"));
        await page.close();
    },

    async "follows a log"(browser, url) {
        const page = await browser.newPage();
        await page.goto(`${url}/dashboard/runs/night/phases/port`);
        await page.waitForFunction(() => document.body.textContent.includes("first line"));
        await page.waitForTimeout(300);
        fs.writeFileSync("go", "");
        await page.waitForFunction(() => document.querySelector("pre[data-follow$='stdout?follow=1']").textContent.includes("second line"));
        await page.close();
    },

    async "can be read and used without JavaScript"(browser, url) {
        const context = await browser.newContext({ javaScriptEnabled: false });
        const page = await context.newPage();
        await page.goto(`${url}/dashboard`);
        await page.locator("#runs").getByRole("link", { name: "night" }).click();
        assert((await page.textContent("main")).includes("first line") || (await page.textContent("main")).includes("phase.started"));
        await page.getByRole("button", { name: "Pause" }).click();
        await page.getByRole("button", { name: "Yes" }).click();
        assert((await page.textContent("#run")).includes("PAUSED"));
        await context.close();
    },

    async "can be used by keyboard, and asks before it aborts"(browser, url) {
        const page = await browser.newPage();
        await page.goto(`${url}/dashboard/runs/night`);
        await page.keyboard.press("Tab");
        assert.strictEqual(await page.evaluate(() => document.activeElement.textContent), "Skip to content");
        const asked = [];
        page.on("dialog", async (dialog) => {
            asked.push(dialog.message());
            await (asked.length === 1 ? dialog.dismiss() : dialog.accept());
        });
        const reach = async () => {
            for (let i = 0; i < 40; i++) {
                if ((await page.evaluate(() => document.activeElement.textContent)) === "Abort") return;
                await page.keyboard.press("Tab");
            }
            assert.fail("the keyboard does not reach the button");
        };
        await reach();
        await page.keyboard.press("Enter");
        await until(() => asked.length === 1, "it asks");
        assert.strictEqual(JSON.parse(run("ap-run", "show", "night", "--json")).status, "EXECUTING");
        await reach();
        await page.keyboard.press("Enter");
        await until(() => JSON.parse(run("ap-run", "show", "night", "--json")).status === "DONE_ABORTED", "it aborts");
        await page.waitForFunction(() => document.querySelector("#run").textContent.includes("DONE_ABORTED"));
        await page.close();
    },
};

async function picture(browser, url) {
    for (const [name, path, options] of [
        ["dashboard", "/dashboard", { viewport: { width: 1200, height: 900 } }],
        ["dashboard-dark", "/dashboard", { viewport: { width: 1200, height: 900 }, colorScheme: "dark" }],
        ["run-phone", "/dashboard/runs/night", { viewport: { width: 390, height: 844 } }],
    ]) {
        const page = await browser.newPage(options);
        await page.goto(url + path);
        await page.waitForFunction(() => document.getElementById("connection").textContent === "– live");
        await page.screenshot({ path: `${screenshots}/${name}.png`, fullPage: true });
        await page.close();
    }
}

async function main() {
    fs.writeFileSync("plan.json", JSON.stringify(plan));
    run("ap-run", "create", "plan.json");
    run("ap-budget", "report", "night", "port", "--prompt-tokens", "121000", "--completion-tokens", "9000", "--model", "claude-sonnet-4");
    run("ap-budget", "report", "night", "survey", "--prompt-tokens", "31000", "--completion-tokens", "4000", "--model", "gpt-5-codex");
    run("ap-breaker", "failure", "api");
    fs.writeFileSync("change.diff", "--- a/import.c\n+++ b/import.c\n@@ -1 +1 @@\n-legacy_read(path);\n+import_read(path);\n");
    run("ap-approve", "ask", "--run", "night", "--phase", "port", "--kind", "apply", "--risk", "high", "-s", "apply the change to import.c", "-d", "change.diff", "--no-wait");
    start("ap-exec", "--run-id", "night");
    start("ap-serve", "--port", "0");
    await until(() => fs.existsSync(".autonomous_runs/serve.json"), "the server is there");
    const { url } = JSON.parse(fs.readFileSync(".autonomous_runs/serve.json"));
    await until(() => run("ap-run", "show", "night").match(/port .*EXECUTING/), "the run executes");
    const browser = await chromium.launch({
        executablePath: "/usr/bin/chromium",
        args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    });
    if (screenshots) await picture(browser, url);
    const names = Object.keys(tests);
    console.log(`1..${names.length}`);
    let failed = 0;
    for (const [index, name] of names.entries()) {
        try {
            await tests[name](browser, url);
            console.log(`ok ${index + 1} ${name}`);
        } catch (error) {
            failed++;
            console.log(`not ok ${index + 1} ${name}\n# ${String(error.message).replaceAll("\n", "\n# ")}`);
        }
    }
    await browser.close();
    process.exit(failed > 0 ? 1 : 0);
}

main();
