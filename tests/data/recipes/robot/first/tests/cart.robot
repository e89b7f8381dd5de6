*** Settings ***
Resource    ../cart.resource

*** Test Cases ***
Total Adds
    ${total}=    Total Of    1    2
    Should Be Equal As Integers    ${total}    3

Total Of One
    ${total}=    Total Of    5
    Should Be Equal As Integers    ${total}    5

Slug
    ${slug}=    Slug Of    Green Tea
    Should Be Equal    ${slug}    green-tea
