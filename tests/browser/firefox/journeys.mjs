// Two journeys in Firefox. Run: node journeys.mjs URL PASSWORD FIREFOX; exits with 1 and says what was not so.
import puppeteer from "puppeteer-core";

const [url, password, executablePath] = process.argv.slice(2);
const field = '[name="value:CVN_HPO_XGB_5M_GAMMA"]';
const browser = await puppeteer.launch({ browser: "firefox", executablePath, headless: true });
const complaints = [];

// A window of a person's own, in which they have logged in.
async function windowOf(account) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.on("console", (one) => { if (one.type() === "error") complaints.push(one.text()); });
  page.on("pageerror", (one) => complaints.push(String(one)));
  await page.goto(`${url}/login`);
  await page.type("#account", account);
  await page.type("#password", password);
  await press(page, "Log in");
  return page;
}

async function press(page, words) {
  await Promise.all([page.waitForNavigation(), page.click(`::-p-xpath(//button[contains(., "${words}")])`)]);
}

const says = (page, words) => page.waitForSelector(`::-p-text(${words})`);

async function review() {
  const [ada, bo] = [await windowOf("ada"), await windowOf("bo")];
  await ada.goto(`${url}/config?part=xgb&edit=yes`);
  await ada.$eval(field, (one) => { one.value = ""; });
  await ada.type(field, "0.25");
  await press(ada, "Put into my draft");
  await ada.type("#words", "less overfitting");
  await press(ada, "Propose");
  await says(ada, "1 approval from bo");
  await bo.goto(ada.url());
  await bo.type("#words", "fine");
  await press(bo, "Approve");
  await says(bo, "Applied as revision");
  return [ada, bo];
}

try {
  const [ada, bo] = await review();
  process.stdout.write("reviewed\n");
  await ada.bringToFront();  // a page that nobody sees is not refreshed
  await ada.goto(`${url}/config?part=xgb&edit=yes`);
  await ada.$eval(field, (one) => { one.value = ""; });
  await ada.type(field, "0.75");
  process.stdout.write("typing\n");
  await says(ada, "your edits kept");
  const kept = await ada.$eval(field, (one) => one.value);
  if (kept !== "0.75") complaints.push(`the field holds ${kept}`);
  await bo.close();
} catch (error) {
  complaints.push(String(error));
} finally {
  await browser.close();
}
if (complaints.length) {
  process.stderr.write(`${complaints.join("\n")}\n`);
  process.exit(1);
}
