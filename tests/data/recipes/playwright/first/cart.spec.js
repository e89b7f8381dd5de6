import { expect, test } from "@playwright/test";
import { slug, total } from "./cart.js";

test.describe("total", () => {
  test("adds", () => expect(total([1, 2])).toBe(3));
  test("of one", () => expect(total([5])).toBe(5));
});

test("slug", () => expect(slug("Green Tea")).toBe("green-tea"));
